"""Builds the project's container images and prepares the small real model of the demo: `hack/images`."""
