"""Finds out who asks, by [api] auth_strategy.

`noauth` (development only) believes everybody and makes everybody an administrator: the token `USER:PROJECT` says who
and where, a token without a colon names both, and without a token it is `admin:admin`.

`static` knows the tokens of a JSON file, `{"TOKEN": {"user_id": …, "project_id": …, "roles": […]}}`; the role `admin`
makes an administrator.

Paths in `open_paths` (version documents) are served to anybody.
"""

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import msgspec

from cloudplane.api import errors
from cloudplane.api.middleware import answers
from cloudplane.api.middleware.request_id import CONTEXT
from cloudplane.api.pipeline import wiring_of
from cloudplane.api.settings import ApiSettings
from cloudplane.context import RequestContext
from cloudplane.exceptions import ConfigurationError, Unauthorized

ADMIN_ROLE = 'admin'


class Identity(msgspec.Struct, frozen=True):
    """Who a token stands for."""

    user_id: str
    project_id: str
    roles: tuple[str, ...] = ()


class Authenticator(Protocol):
    """Called for every request, from many threads; must not block."""

    def identify(self, token: str | None) -> Identity:
        """Who sent this token. Unauthorized."""
        ...


class NoAuth:
    """Believes everybody."""

    def identify(self, token: str | None) -> Identity:
        """See Authenticator."""
        user, _, project = (token or 'admin').partition(':')
        return Identity(user or 'admin', project or user or 'admin', (ADMIN_ROLE, 'member', 'reader'))


class StaticTokens:
    """Believes the tokens of a file, which is read once. Only their hashes are kept, so that comparing takes the same
    time for every wrong token, and no dump of the memory shows one.
    """

    def __init__(self, token_file: str) -> None:
        if not token_file:
            raise ConfigurationError('[api] token_file is needed with auth_strategy = static.')
        self._identities = {_hash(token): identity for token, identity in _load(Path(token_file)).items()}

    def identify(self, token: str | None) -> Identity:
        """See Authenticator."""
        identity = self._identities.get(_hash(token)) if token else None
        if identity is None:
            raise Unauthorized('The request needs a valid token in X-Auth-Token.')
        return identity


def filter_factory(
    global_conf: dict[str, str], *, open_paths: str = '', **_local_conf: str
) -> Callable[[WSGIApplication], 'Authentication']:
    """For PasteDeploy."""
    authenticator = _authenticator(wiring_of(global_conf).settings)
    paths = frozenset(path.rstrip('/') for path in open_paths.split())
    return lambda application: Authentication(application, authenticator, paths)


class Authentication:
    """The WSGI filter."""

    def __init__(self, application: WSGIApplication, authenticator: Authenticator, open_paths: frozenset[str]) -> None:
        self._application, self._authenticator, self._open_paths = application, authenticator, open_paths

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ['PATH_INFO'].rstrip('/') in self._open_paths:
            return self._application(environ, start_response)
        try:
            identity = self._authenticator.identify(environ.get('HTTP_X_AUTH_TOKEN'))
        except Unauthorized as error:
            answer = errors.answer_to(error)
            assert answer is not None
            return answers.send(environ, start_response, answer)
        environ[CONTEXT] = _context(identity, environ[CONTEXT])
        return self._application(environ, start_response)


def _context(identity: Identity, anonymous: RequestContext) -> RequestContext:
    return RequestContext(
        user_id=identity.user_id,
        project_id=identity.project_id,
        roles=list(identity.roles),
        is_admin=ADMIN_ROLE in identity.roles,
        request_id=anonymous.request_id,
        global_request_id=anonymous.global_request_id,
    )


def _authenticator(settings: ApiSettings) -> Authenticator:
    return StaticTokens(settings.token_file) if settings.auth_strategy == 'static' else NoAuth()


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors='surrogateescape')).digest()


def _load(path: Path) -> dict[str, Identity]:
    try:
        with open(path, 'rb') as opened:
            if os.fstat(opened.fileno()).st_mode & 0o077:
                raise ConfigurationError(f'{path} holds tokens, but others may read it: chmod 600 {path}')
            return msgspec.json.decode(opened.read(), type=dict[str, Identity])
    except OSError as error:
        raise ConfigurationError(f'[api] token_file cannot be read: {error}') from error
    except msgspec.DecodeError as error:
        raise ConfigurationError(f'[api] token_file {path} is not what it must be: {error}') from error
