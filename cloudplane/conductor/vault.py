"""Keeps secrets unreadable in the database: an administrator's password of a guest, until the guest has it."""

import contextlib
import os
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from cloudplane import exceptions


class Vault:
    """Encrypts with the key of a file, which is made (mode 0600) when it is missing. Raises ConfigurationError."""

    def __init__(self, key_file: Path) -> None:
        try:
            self._fernet = Fernet(_key(key_file))
        except ValueError as error:
            raise exceptions.ConfigurationError(f'{key_file} does not hold a key: {error}') from error

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
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _make_key(path)
    return path.read_bytes().strip()


def _make_key(path: Path) -> None:
    """Make the key file, whole or not at all; whoever comes at the same time keeps the first one's."""
    descriptor, part = tempfile.mkstemp(prefix=f'{path.name}.', suffix='.part', dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, 'wb') as file:
            file.write(Fernet.generate_key())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
    finally:
        os.unlink(part)
