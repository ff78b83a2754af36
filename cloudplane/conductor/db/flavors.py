"""Flavors in the database."""

import msgspec
from sqlalchemy import Connection, delete, select

from cloudplane import exceptions
from cloudplane.conductor.db import models
from cloudplane.conductor.db.clock import utc_now
from cloudplane.conductor.db.insert import insert_new
from cloudplane.objects.flavor import Flavor


def decode(record_json: str) -> Flavor:
    """The flavor kept in a `record_json` or `flavor_json` column."""
    return msgspec.json.decode(record_json, type=Flavor)


def encode(flavor: Flavor) -> str:
    """What a `record_json` or `flavor_json` column holds."""
    return msgspec.json.encode(flavor).decode()


def get(conn: Connection, flavor_id: str) -> Flavor:
    """One flavor by the id that clients use."""
    found = conn.execute(select(models.Flavor.record_json).where(models.Flavor.flavor_id == flavor_id)).scalar()
    if found is None:
        raise exceptions.FlavorNotFound(f'Flavor {flavor_id} could not be found.')
    return decode(found)


def list_all(conn: Connection) -> tuple[Flavor, ...]:
    """All flavors, smallest first."""
    rows = conn.execute(select(models.Flavor.record_json).order_by(models.Flavor.memory_mb, models.Flavor.flavor_id))
    return tuple(decode(row.record_json) for row in rows)


def create(conn: Connection, flavor: Flavor) -> Flavor:
    """Add a flavor whose id and name are free."""
    row = {
        'flavor_id': flavor.id,
        'name': flavor.name,
        'vcpus': flavor.vcpus,
        'memory_mb': flavor.memory_mb,
        'record_json': encode(flavor),
        'created_at': utc_now(),
    }
    if insert_new(conn, models.Flavor, [row]) == 0:
        raise exceptions.FlavorExists(f'Flavor with name {flavor.name} or id {flavor.id} already exists.')
    return flavor


def remove(conn: Connection, flavor_id: str) -> None:
    """Remove a flavor; servers keep their copies."""
    if conn.execute(delete(models.Flavor).where(models.Flavor.flavor_id == flavor_id)).rowcount == 0:
        raise exceptions.FlavorNotFound(f'Flavor {flavor_id} could not be found.')
