"""Daemons, as operators see them."""

from typing import Any

from cloudplane.api.compute.views import times
from cloudplane.objects.service import Service


def show(service: Service) -> dict[str, Any]:
    """One daemon."""
    return {
        'id': number(service.id),
        'binary': service.binary,
        'host': service.host,
        'zone': service.zone,
        'status': status(service.disabled),
        'state': state(service.up),
        'disabled_reason': service.disabled_reason,
        'updated_at': times.with_microseconds(service.updated_at),
    }


def number(identifier: str) -> int | str:
    """Ids are numbers below 2.53 where they can be."""
    return int(identifier) if identifier.isascii() and identifier.isdigit() else identifier


def status(disabled: bool) -> str:
    """What the operator wants."""
    return 'disabled' if disabled else 'enabled'


def state(up: bool) -> str:
    """What the heartbeat says."""
    return 'up' if up else 'down'
