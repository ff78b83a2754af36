"""cloudplane: a message-driven compute control plane with the OpenStack APIs."""
