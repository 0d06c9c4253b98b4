"""From many answers and scores to one order: exact, deterministic, independent of the order of arrival."""
