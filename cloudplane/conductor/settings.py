"""What the conductor is configured with, as plain values: options are read once, here."""

import types
from collections.abc import Mapping
from typing import Any

import msgspec

from cloudplane import states
from cloudplane.conductor.db.usage import Amounts


class ConductorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds. Their meaning is in conf/operations.py and conf/quota.py."""

    lease_s: float = 30
    host_down_s: float = 35
    wake_up_s: tuple[float, ...] = (5, 10, 20, 30)
    reconcile_s: float = 2
    reconcile_rows: int = 100
    grace_s: float = 20
    tries: int = 5
    build_hosts: int = 3
    deadlines_s: Mapping[str, float] = types.MappingProxyType(
        {'power': 180, 'delete': 600, 'build': 900, 'snapshot': 3600}
    )
    idempotency_s: float = 86400
    max_queued_operations: int = 10000
    quota: Amounts = Amounts(instances=10, cores=20, ram_mb=51200)
    quota_key_pairs: int = 100
    quota_metadata_items: int = 128

    def deadline_s(self, kind: str) -> float:
        """How long an operation of this kind may take."""
        return self.deadlines_s[states.MOVES[kind].deadline]

    def wake_up_after_s(self, tries: int) -> float:
        """When to send a wake-up again that was sent `tries` times."""
        return self.wake_up_s[min(tries, len(self.wake_up_s) - 1)]


def settings_from(conf: Any) -> ConductorSettings:
    """Read the options of [operations] and [quota]."""
    options = conf.operations
    return ConductorSettings(
        lease_s=options.lease_s,
        host_down_s=options.host_down_s,
        wake_up_s=tuple(options.wake_up_s),
        reconcile_s=options.reconcile_s,
        reconcile_rows=options.reconcile_rows,
        grace_s=options.grace_s,
        tries=options.tries,
        build_hosts=options.build_hosts,
        deadlines_s={
            'power': options.power_deadline_s,
            'delete': options.delete_deadline_s,
            'build': options.build_deadline_s,
            'snapshot': options.snapshot_deadline_s,
        },
        idempotency_s=options.idempotency_hours * 3600,
        max_queued_operations=options.max_queued_operations,
        quota=Amounts(instances=conf.quota.instances, cores=conf.quota.cores, ram_mb=conf.quota.ram_mb),
        quota_key_pairs=conf.quota.key_pairs,
        quota_metadata_items=conf.quota.metadata_items,
    )
