"""Daemons, as operators see them."""

from cloudplane.api.compute.call import Answer, Call
from cloudplane.api.compute.views import service as views


def index(call: Call) -> Answer:
    """All daemons that have reported."""
    host, binary = call.query.one('host'), call.query.one('binary')
    services = [
        service
        for service in call.services.conductor.service_list(call.context)
        if host in (None, service.host) and binary in (None, service.binary)
    ]
    return Answer({'services': [views.show(service) for service in services]})
