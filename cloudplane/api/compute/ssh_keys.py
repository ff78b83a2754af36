"""Makes ssh keypairs, and checks public keys that clients send."""

import base64
import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloudplane.exceptions import BadRequest


def generate(comment: str) -> tuple[str, str]:
    """A public and a private key, in OpenSSH's forms.

    Ed25519, not RSA: it takes microseconds, where an RSA key would stop every green thread for a tenth of a second.
    """
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    secret = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return f'{public.decode()} {comment}\n', secret.decode()


def fingerprint(public_key: str) -> str:
    """The MD5 of a public key, as ssh used to show it and Nova's clients expect it. BadRequest: it is not a key."""
    line = public_key.strip()
    # A second line would be a second key in a guest's authorized_keys, perhaps with options.
    if len(line.splitlines()) != 1:
        raise BadRequest('Invalid input at $.keypair.public_key: it must be one line.')
    try:
        serialization.load_ssh_public_key(line.encode())
        blob = base64.b64decode(line.split()[1], validate=True)
    except (ValueError, IndexError, UnsupportedAlgorithm) as error:
        raise BadRequest('Keypair data is invalid: failed to generate fingerprint from the public key.') from error
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ':'.join(digest[place : place + 2] for place in range(0, len(digest), 2))
