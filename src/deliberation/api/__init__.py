"""The API of councils.dev: one sub-package per version, the source from which the CRDs are generated."""

GROUP = "councils.dev"
