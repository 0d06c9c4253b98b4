"""The runner: takes tasks from the bus, drives each to its verdict, one Ray actor per seat."""
