"""Pure decisions: from what was observed to what to do."""
