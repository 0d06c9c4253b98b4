"""Pure builders of the Kubernetes objects that a Council needs, as bodies for server-side apply."""
