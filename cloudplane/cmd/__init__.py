"""One thin main per process: the only place that reads the configuration and connects things."""
