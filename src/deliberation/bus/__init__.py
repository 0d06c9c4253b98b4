"""The bus: tasks out, ledger entries in. One port, NATS JetStream behind it, and an in-memory double."""
