"""Pure summaries: from what was observed to the status that people and tools read."""
