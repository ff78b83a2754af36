"""Keypairs: the public ssh keys of a user."""

from cloudplane.objects.base import Record


class Keypair(Record, frozen=True, kw_only=True):
    """A named public key. The private half, if cloudplane made it, is shown once and never kept."""

    user_id: str
    name: str
    type: str = 'ssh'
    public_key: str
    fingerprint: str
    created_at: str = ''
