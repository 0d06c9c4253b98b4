"""A real Kubernetes on one machine: with kind where a container engine answers, natively where none does."""
