"""Councils of language models: the data plane, usable without Kubernetes."""
