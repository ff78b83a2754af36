"""Keeps secrets unreadable in the database: an administrator's password of a guest, until the guest has it."""

import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from cloudplane import exceptions


class Vault:
    """Encrypts with the key of a file, which is made (mode 0600) when it is missing."""

    def __init__(self, key_file: Path) -> None:
        self._fernet = Fernet(_key(key_file))

    def seal(self, text: str) -> str:
        """The encrypted form of `text`."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """What was sealed. Raises ConfigurationError if another key sealed it."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise exceptions.ConfigurationError(
                'a secret in the database was encrypted with another key: do all conductors have the same key file?'
            ) from None


def _key(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes().strip()
    with os.fdopen(descriptor, 'wb') as file:
        key = Fernet.generate_key()
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return key
