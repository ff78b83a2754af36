"""What is to be told to others once a transaction is committed.

A transaction may run more than once, so it sends nothing itself: it returns its effects. All of them are hints; what
they hint at is in the database, and the reconciler gives them again.
"""

import logging
from collections.abc import Iterable

import msgspec

from cloudplane import exceptions
from cloudplane.conductor.feed import HostFeed
from cloudplane.context import service_context
from cloudplane.objects.operation import BuildSpec, WorkOrder
from cloudplane.rpcapi.compute import ComputeAPI
from cloudplane.rpcapi.scheduler import SchedulerAPI

LOG = logging.getLogger(__name__)


class Effects(msgspec.Struct, kw_only=True):
    """Hosts that changed, claims that ended, and whom to wake with what."""

    hosts: set[int] = msgspec.field(default_factory=set)
    claims_ended: list[str] = msgspec.field(default_factory=list)
    orders: list[WorkOrder] = msgspec.field(default_factory=list)
    builds: list[BuildSpec] = msgspec.field(default_factory=list)

    def host(self, host_id: int | None) -> None:
        """Note that a host changed, if there is one."""
        if host_id is not None:
            self.hosts.add(host_id)

    def add(self, other: 'Effects') -> None:
        """Take the effects of another transaction as well."""
        self.hosts |= other.hosts
        self.claims_ended += other.claims_ended
        self.orders += other.orders
        self.builds += other.builds


class Announcer:
    """Sends effects."""

    def __init__(self, feed: HostFeed, scheduler: SchedulerAPI, compute: ComputeAPI) -> None:
        self._feed, self._scheduler, self._compute = feed, scheduler, compute

    def send(self, effects: Effects) -> None:
        """Send what can be sent; what cannot costs latency alone."""
        for order in effects.orders:
            self._work(order)
        if effects.builds:
            self._build(effects.builds)
        if effects.hosts or effects.claims_ended:
            self._feed.changed(effects.hosts, effects.claims_ended)

    def _work(self, order: WorkOrder) -> None:
        try:
            self._compute.work(service_context(order.request_id), order)
        except exceptions.ServiceUnavailable as error:
            LOG.warning('Could not send %s of %s to %s: %s', order.kind, order.server_id, order.host, error)

    def _build(self, specs: Iterable[BuildSpec]) -> None:
        specs = tuple(specs)
        try:
            self._scheduler.build(service_context(), specs)
        except exceptions.ServiceUnavailable as error:
            LOG.warning('Could not wake a scheduler for %d servers: %s', len(specs), error)
