"""Version documents: what a client reads before it knows anything else."""

from cloudplane.api.compute.call import Answer, Call
from cloudplane.api.compute.views import version as views


def index(call: Call) -> Answer:
    """All versions."""
    return Answer({'versions': [views.summary(call.links)]})


def show(call: Call) -> Answer:
    """v2.1."""
    return Answer({'version': views.show(call.links)})
