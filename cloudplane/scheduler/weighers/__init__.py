"""The weighers that come with cloudplane. Each is loaded by its entry point in `cloudplane.scheduler.weighers`."""
