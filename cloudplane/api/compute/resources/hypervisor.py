"""Hypervisors: the compute hosts, as operators see them."""

from cloudplane.api.compute.call import Answer, Call
from cloudplane.api.compute.views import hypervisor as views
from cloudplane.exceptions import HostNotFound


def index(call: Call) -> Answer:
    """All of them, by name."""
    return Answer({'hypervisors': [views.summary(host) for host in call.services.conductor.host_list(call.context)]})


def detail(call: Call) -> Answer:
    """All of them, with what they have and what is in use."""
    return Answer({'hypervisors': [views.show(host) for host in call.services.conductor.host_list(call.context)]})


def show(call: Call, hypervisor_id: str) -> Answer:
    """One of them."""
    for host in call.services.conductor.host_list(call.context):
        if str(host.id) == hypervisor_id:
            return Answer({'hypervisor': views.show(host)})
    raise HostNotFound(f"Hypervisor with ID '{hypervisor_id}' could not be found.")
