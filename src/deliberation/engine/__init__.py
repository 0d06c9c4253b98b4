"""The pure heart: folds a ledger into a standing, says what to do next, reads replies, ranks and reports."""

ENGINE_VERSION = "3"
"""Changes whenever the same ledger would give another result, or the same task other prompts."""
