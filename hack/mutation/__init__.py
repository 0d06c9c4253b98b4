"""`hack/mutate`: which changes of the pure core no test would notice."""
