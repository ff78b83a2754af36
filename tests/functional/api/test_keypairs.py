"""Keypairs."""

import hashlib
from base64 import b64decode
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.functional.api.client import Client

_OPENSSH = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH


def _keys() -> dict[str, str]:
    made: dict[str, Any] = {
        'rsa': rsa.generate_private_key(65537, 1024).public_key(),
        'ed25519': ed25519.Ed25519PrivateKey.generate().public_key(),
        'ecdsa': ec.generate_private_key(ec.SECP256R1()).public_key(),
    }
    return {kind: key.public_bytes(*_OPENSSH).decode() for kind, key in made.items()}


@pytest.mark.parametrize('kind', ['rsa', 'ed25519', 'ecdsa'])
def test_a_public_key_is_kept_with_its_fingerprint(alice: Client, kind: str) -> None:
    public_key = f'{_keys()[kind]} alice@laptop\n'
    reply = alice.post('/os-keypairs', {'keypair': {'name': 'laptop', 'public_key': public_key}})
    assert reply.status == 200
    keypair = reply.body['keypair']
    digest = hashlib.md5(b64decode(public_key.split()[1])).hexdigest()
    assert keypair['fingerprint'].replace(':', '') == digest
    assert (keypair['public_key'], keypair['user_id'], 'private_key' in keypair) == (public_key, 'alice', False)


def test_without_a_public_key_a_pair_is_made_and_its_private_half_shown_once(alice: Client) -> None:
    made = alice.post('/os-keypairs', {'keypair': {'name': 'new key'}}).body['keypair']
    private = serialization.load_ssh_private_key(made['private_key'].encode(), None)
    assert private.public_key().public_bytes(*_OPENSSH).decode() == ' '.join(made['public_key'].split()[:2])
    shown = alice.get('/os-keypairs/new%20key').body['keypair']
    assert shown['public_key'] == made['public_key']
    assert shown['created_at'].startswith('2026-01-01T')


def test_keypairs_belong_to_their_user(alice: Client, bob: Client) -> None:
    alice.post('/os-keypairs', {'keypair': {'name': 'one'}})
    assert [each['keypair']['name'] for each in alice.get('/os-keypairs').body['keypairs']] == ['one']
    assert bob.get('/os-keypairs').body == {'keypairs': []}
    assert bob.get('/os-keypairs/one').status == 404
    assert bob.delete('/os-keypairs/one').status == 404


def test_a_keypair_is_removed_with_the_code_of_its_version(alice: Client) -> None:
    alice.post('/os-keypairs', {'keypair': {'name': 'one'}})
    reply = alice.delete('/os-keypairs/one')
    assert (reply.status, reply.raw) == (202, b'')
    assert alice.delete('/os-keypairs/one').status == 404


def test_a_name_is_taken_once(alice: Client) -> None:
    alice.post('/os-keypairs', {'keypair': {'name': 'one'}})
    assert alice.post('/os-keypairs', {'keypair': {'name': 'one'}}).status == 409


@pytest.mark.parametrize(
    'keypair',
    [
        {},
        {'name': ''},
        {'name': 'a@b'},
        {'name': ' a'},
        {'name': 'a\n'},
        {'name': 'x' * 256},
        {'name': 'one', 'public_key': ''},
        {'name': 'one', 'public_key': 'nonsense'},
        {'name': 'one', 'public_key': 'ssh-ed25519'},
        {'name': 'one', 'public_key': 'ssh-rsa AAAA'},
        {'name': 'one', 'public_key': 'ssh-rsa \u00fc'},
        {'name': 'one', 'public_key': None},
        {'name': 'one', 'type': 'ssh'},
    ],
)
def test_what_is_not_a_keypair_is_refused(alice: Client, keypair: dict[str, str]) -> None:
    assert alice.post('/os-keypairs', {'keypair': keypair}).status == 400


def test_a_second_line_is_refused_for_it_would_be_a_second_key(alice: Client) -> None:
    keys = _keys()
    reply = alice.post('/os-keypairs', {'keypair': {'name': 'two', 'public_key': '\n'.join(keys.values())}})
    assert (reply.status, 'one line' in reply.message) == (400, True)
