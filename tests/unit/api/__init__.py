"""The HTTP API, piece by piece."""
