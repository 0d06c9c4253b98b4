"""The Kubernetes API: the only place that talks to it, with raw JSON bodies and server-side apply."""
