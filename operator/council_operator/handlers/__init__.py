"""Kopf's part: watching. It writes nothing for us, so no failed patch of its own can end our loops."""
