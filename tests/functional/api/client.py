"""Speaks to the real pipeline and application without a socket, over doubles; checks every answer."""

import io
import json
from collections.abc import Iterable
from typing import Any, Self
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIApplication
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import msgspec

from cloudplane.api.server import ApiService
from cloudplane.api.settings import ApiSettings
from cloudplane.objects.flavor import Flavor
from cloudplane.objects.image import ACTIVE, Image
from cloudplane.objects.service import HostDetail, Service
from tests.doubles.compute import FakeCompute
from tests.doubles.conductor import FakeConductor
from tests.doubles.images import FakeImages
from tests.doubles.scheduler import FakeScheduler
from tests.functional.api.checker import AnswerChecker

IMAGE_ID = '70a599e0-31e7-49b7-b260-868f441e862b'
FLAVOR = Flavor(id='1', name='m1.tiny', vcpus=1, memory_mb=512, root_gb=1, extra_specs={'hw:cpu_policy': 'shared'})
IMAGE = Image(
    id=IMAGE_ID,
    name='guest',
    status=ACTIVE,
    visibility='public',
    virtual_size_bytes=(1 << 30) - 512,
    properties={'os_distro': 'debian'},
)
HOST = HostDetail(
    id=1,
    uuid='5e1c2a3f-5d5b-4c1f-8a4b-6f0f6f1c2d3e',
    name='host1',
    hypervisor_hostname='host1.example',
    hypervisor_type='fake',
    hypervisor_version=1000,
    host_ip='192.0.2.1',
    cpu_info='{}',
    zone='nova',
    up=True,
    disabled=False,
    forced_down=False,
    epoch=1,
    service_id='2',
    total_vcpus=8,
    total_memory_mb=16384,
    total_disk_gb=100,
    reserved_memory_mb=512,
    reserved_disk_gb=5,
    used_vcpus=2,
    used_memory_mb=1024,
    used_disk_gb=10,
    running_guests=2,
)
SERVICE = Service(
    id='2',
    binary='cloudplane-compute',
    host='host1',
    zone='nova',
    up=True,
    updated_at='2026-01-01T00:00:00.000000',
)


class Reply(msgspec.Struct, frozen=True):
    """An answer. Header names are in lower case; `body` is decoded JSON, or None."""

    status: int
    headers: dict[str, str]
    body: Any
    raw: bytes

    @property
    def message(self) -> str:
        """What an error says."""
        (fault,) = self.body.values()
        return str(fault['message'])


class World:
    """What is behind the API, and the API itself."""

    def __init__(self, settings: ApiSettings | None = None, **conductor: Any) -> None:
        self.conductor = FakeConductor(**conductor)
        self.scheduler, self.compute, self.images = FakeScheduler(), FakeCompute(), FakeImages()
        self.conductor.flavors[FLAVOR.id] = FLAVOR
        self.conductor.hosts.append(HOST)
        self.conductor.services.append(SERVICE)
        self.images.records[IMAGE_ID] = IMAGE
        self.service = ApiService(
            settings or ApiSettings(port=0), self.conductor, self.scheduler, self.compute, self.images
        )


class Client:
    """One user of one project (with `noauth`: an administrator)."""

    def __init__(self, application: WSGIApplication, token: str | None = 'alice:demo', prefix: str = '/v2.1') -> None:
        self._application = validator(application)
        self._token, self._prefix = token, prefix
        self._checker = AnswerChecker()

    def at(self, prefix: str) -> Self:
        """The same user, with another beginning of the URLs."""
        return type(self)(self._application, self._token, prefix)

    def get(self, path: str, **headers: str) -> Reply:
        return self.send('GET', path, headers=headers)

    def delete(self, path: str, **headers: str) -> Reply:
        return self.send('DELETE', path, headers=headers)

    def post(self, path: str, body: object, **headers: str) -> Reply:
        return self.send('POST', path, body, headers=headers)

    def put(self, path: str, body: object, **headers: str) -> Reply:
        return self.send('PUT', path, body, headers=headers)

    def action(self, server_id: str, name: str, value: object = None, **headers: str) -> Reply:
        """POST an action."""
        return self.post(f'/servers/{server_id}/action', {name: value}, **headers)

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """Any request. Header names have underscores for dashes. `raw` is sent instead of the JSON of `body`."""
        content = raw if raw is not None else b'' if body is None else json.dumps(body).encode()
        url = f'{self._prefix}{path}'
        environ = self._environ(method, url, content, headers or {})
        reply = _run(self._application, environ)
        action = next(iter(body), '') if url.endswith('/action') and isinstance(body, dict) else ''
        if method != 'HEAD':
            self._checker.check(method, url, reply.status, reply.headers, reply.body, action)
        return reply

    def _environ(self, method: str, url: str, content: bytes, headers: dict[str, str]) -> dict[str, Any]:
        path, _, query = url.partition('?')
        environ: dict[str, Any] = {
            'REQUEST_METHOD': method,
            'SCRIPT_NAME': '',
            'PATH_INFO': unquote_to_bytes(path).decode('latin-1'),
            'QUERY_STRING': query,
            'HTTP_HOST': 'cloud.example:8774',
            'wsgi.input': io.BytesIO(content),
        }
        if content:
            environ |= {'CONTENT_LENGTH': str(len(content)), 'CONTENT_TYPE': 'application/json'}
        if self._token is not None:
            environ['HTTP_X_AUTH_TOKEN'] = self._token
        for name, value in headers.items():
            key = name.upper().replace('-', '_')
            environ[key if key.startswith('CONTENT_') else f'HTTP_{key}'] = value
        setup_testing_defaults(environ)
        return environ


def _run(application: WSGIApplication, environ: dict[str, Any]) -> Reply:
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        started[:] = [int(status[:3]), headers]
        return lambda _data: None

    pieces: Iterable[bytes] = application(environ, start_response)
    raw = b''.join(pieces)
    pieces.close()  # type: ignore[attr-defined]  # the validator insists, and what it returns has it
    status, headers = started
    merged: dict[str, str] = {}
    for name, value in headers:
        merged[name.lower()] = f'{merged[name.lower()]}, {value}' if name.lower() in merged else value
    is_json = 'json' in merged.get('content-type', '')
    return Reply(status, merged, json.loads(raw) if raw and is_json else None, raw)
