"""The only place that writes: to the cluster and to the bus."""
