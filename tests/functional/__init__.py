"""All services in one process, the in-process transport, the fake driver: through HTTP."""
