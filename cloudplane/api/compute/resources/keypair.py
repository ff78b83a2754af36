"""Keypairs: the public ssh keys of a user. A private half that is made here is shown once and never kept."""

from cloudplane.api.compute import ssh_keys
from cloudplane.api.compute.call import Answer, Call
from cloudplane.api.compute.views import keypair as views
from cloudplane.objects.keypair import Keypair


def index(call: Call) -> Answer:
    """The caller's keypairs."""
    keypairs = call.services.conductor.keypair_list(call.context, call.user_id)
    return Answer({'keypairs': [{'keypair': views.summary(keypair)} for keypair in keypairs]})


def show(call: Call, name: str) -> Answer:
    """One keypair."""
    return Answer({'keypair': views.show(call.services.conductor.keypair_get(call.context, call.user_id, name))})


def create(call: Call) -> Answer:
    """Keep a public key; without one, make a pair."""
    asked = call.body['keypair']
    private_key = None
    public_key = asked.get('public_key')
    if public_key is None:
        public_key, private_key = ssh_keys.generate(comment='made by cloudplane')
    keypair = Keypair(
        user_id=call.user_id,
        name=asked['name'],
        public_key=public_key,
        fingerprint=ssh_keys.fingerprint(public_key),
    )
    kept = call.services.conductor.keypair_create(call.context, keypair)
    return Answer({'keypair': views.created(kept, private_key)})


def delete(call: Call, name: str) -> Answer:
    """Remove a keypair; servers keep the key that they were made with."""
    call.services.conductor.keypair_delete(call.context, call.user_id, name)
    return Answer()
