"""The control plane: reconciles Councils and Deliberations."""
