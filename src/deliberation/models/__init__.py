"""Chat models: the client that calls any OpenAI-compatible server, and a server that only pretends to be one."""
