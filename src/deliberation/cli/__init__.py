"""The command `council`, for people and scripts without a cluster at hand."""
