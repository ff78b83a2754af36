"""The compute API, as far as a quickstart needs it."""

import json
import urllib.error
import urllib.request
from typing import Any

from checkout.programs import Failure

TIMEOUT_S = 60
# Whatever proxy the environment names: the service is on this machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NotFound(Failure):
    """There is no such thing."""


class Conflict(Failure):
    """Not in this state."""


_REFUSALS = {404: NotFound, 409: Conflict}


class Api:
    """A client of one compute API. Answers are JSON as Python has it."""

    def __init__(self, url: str) -> None:
        self._url = url

    def get(self, path: str) -> Any:
        """GET; NotFound."""
        return self._ask('GET', path)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """POST a document; Conflict."""
        return self._ask('POST', path, body)

    def delete(self, path: str) -> None:
        """DELETE; NotFound."""
        self._ask('DELETE', path)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        headers = {'Content-Type': 'application/json'} if body is not None else {}
        request = urllib.request.Request(f'{self._url}{path}', data, headers, method=method)
        try:
            with _OPENER.open(request, timeout=TIMEOUT_S) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            message = f'{method} {path} was answered with {error.code}: {error.read().decode(errors="replace")}'
            raise _REFUSALS.get(error.code, Failure)(message) from error
        except OSError as error:
            raise Failure(f'{method} {path} was not answered: {error}') from error
        return json.loads(text) if text else None
