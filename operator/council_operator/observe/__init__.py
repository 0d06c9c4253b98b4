"""The only place that reads: the cluster and the bus, into plain data."""
