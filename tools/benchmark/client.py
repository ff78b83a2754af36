"""A client of the compute API that costs little: connections are kept open."""

import http.client
import json
from typing import Any, NamedTuple

TIMEOUT_S = 120


class BenchFailed(Exception):
    """It cannot be measured; the message says why."""


class Answer(NamedTuple):
    """A status, and what was sent with it."""

    status: int
    body: bytes


class Client:
    """One connection to one API, for one thread."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection('127.0.0.1', port, timeout=TIMEOUT_S)

    def request(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """Send a request and read the whole answer."""
        headers = {'Content-Type': 'application/json'} if body is not None else {}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        return Answer(answer.status, answer.read())

    def expect(self, status: int, method: str, path: str, body: bytes | None = None) -> Any:
        """The decoded answer, which must have this status."""
        answer = self.request(method, path, body)
        if answer.status != status:
            text = answer.body.decode(errors='replace')
            raise BenchFailed(f'{method} {path} was answered with {answer.status} instead of {status}: {text}')
        return json.loads(answer.body) if answer.body else None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
