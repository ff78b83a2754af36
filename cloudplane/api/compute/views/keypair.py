"""Keypairs."""

import zlib
from typing import Any

from cloudplane.api.compute.views import times
from cloudplane.objects.keypair import Keypair


def summary(keypair: Keypair) -> dict[str, Any]:
    """As in a list."""
    return {'name': keypair.name, 'public_key': keypair.public_key, 'fingerprint': keypair.fingerprint}


def created(keypair: Keypair, private_key: str | None) -> dict[str, Any]:
    """As answered to a create; `private_key`: if the pair was made here."""
    shown = {**summary(keypair), 'user_id': keypair.user_id}
    return shown if private_key is None else {**shown, 'private_key': private_key}


def show(keypair: Keypair) -> dict[str, Any]:
    """All of it."""
    return {
        **summary(keypair),
        'user_id': keypair.user_id,
        # Nova shows the number of its row, which no client can use for anything but must be there: keypairs are named.
        'id': zlib.crc32(f'{keypair.user_id}/{keypair.name}'.encode()),
        'deleted': False,
        'created_at': times.with_microseconds(keypair.created_at),
        'updated_at': None,
        'deleted_at': None,
    }
