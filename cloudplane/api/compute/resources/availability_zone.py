"""Availability zones."""

from collections import defaultdict

from cloudplane.api.compute.call import Answer, Call
from cloudplane.api.compute.views import availability_zone as views
from cloudplane.objects.service import HostDetail


def index(call: Call) -> Answer:
    """The zones, and whether a server can be made there."""
    return Answer({'availabilityZoneInfo': [views.summary(zone, hosts) for zone, hosts in _zones(call)]})


def detail(call: Call) -> Answer:
    """The zones with their hosts."""
    return Answer({'availabilityZoneInfo': [views.show(zone, hosts) for zone, hosts in _zones(call)]})


def _zones(call: Call) -> list[tuple[str, list[HostDetail]]]:
    hosts: defaultdict[str, list[HostDetail]] = defaultdict(list)
    for host in call.services.conductor.host_list(call.context):
        hosts[host.zone].append(host)
    return sorted(hosts.items())
