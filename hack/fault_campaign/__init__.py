"""Kills and cuts everything that a Deliberation needs, in the middle of many, and tells what became of them."""
