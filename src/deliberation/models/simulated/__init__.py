"""A model server that only pretends: for tests and demonstrations. Whatever it says, it says that it is simulated."""
