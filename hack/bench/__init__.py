"""Measurements on a running cluster: what is timed, against which baseline, and what was simulated."""
