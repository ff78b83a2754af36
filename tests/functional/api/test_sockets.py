"""What only a real socket shows: chunks, connections that are kept or closed, requests that are no HTTP. For both
backends, because each has a WSGI server of its own.
"""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudplane.concurrency import BACKENDS
from tests.functional.api.checker import check_error, check_headers
from tests.functional.api.client import IMAGE_ID

CHECKOUT = Path(__file__).parents[3]
BODY = json.dumps({'server': {'name': 'web', 'imageRef': IMAGE_ID, 'flavorRef': '1'}}).encode()
LARGE = 114689


@pytest.fixture(scope='module', params=BACKENDS)
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """A server under one of the backends."""
    process = subprocess.Popen(
        [sys.executable, '-W', 'ignore', '-m', 'tests.functional.api.http_server', request.param],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    yield int(process.stdout.readline())
    process.stdin.close()
    assert process.stdout.readline() == 'stopped\n'
    assert process.wait(10) == 0
    process.stdout.close()


class Wire:
    """One connection, byte by byte."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(('127.0.0.1', port), timeout=10)
        self._reader = self._socket.makefile('rb')

    def __enter__(self) -> 'Wire':
        return self

    def __exit__(self, *_error: object) -> None:
        self._reader.close()
        self._socket.close()

    def send(self, head: str, body: bytes = b'') -> None:
        """Send a request; HTTP/1.1 and Host are added to its first line."""
        first, _, rest = head.partition('\n')
        lines = [f'{first} HTTP/1.1', 'Host: cloud.example', *rest.split('\n'), '', '']
        self._socket.sendall('\r\n'.join(line for line in lines[:-2] if line).encode() + b'\r\n\r\n' + body)

    def more(self, data: bytes) -> None:
        """Send more of a body."""
        self._socket.sendall(data)

    def receive(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer."""
        status = int(self._reader.readline().split()[1])
        headers: dict[str, str] = {}
        while (line := self._reader.readline().decode().strip()) != '':
            name, _, value = (part.strip() for part in line.partition(':'))
            headers[name.lower()] = f'{headers[name.lower()]}, {value}' if name.lower() in headers else value
        return status, headers, self._reader.read(int(headers.get('content-length', 0)))

    def rest(self) -> bytes:
        """All that comes until the server closes the connection."""
        return self._reader.read()


def _ask(port: int, head: str, body: bytes = b'') -> tuple[int, dict[str, str], Any]:
    with Wire(port) as wire:
        wire.send(head, body)
        status, headers, raw = wire.receive()
        return status, headers, json.loads(raw) if raw else None


def _chunked(*pieces: bytes) -> bytes:
    return b''.join(b'%x\r\n%s\r\n' % (len(piece), piece) for piece in (*pieces, b''))


def test_a_connection_serves_many_requests(port: int) -> None:
    with Wire(port) as wire:
        for _ in range(3):
            wire.send('GET /v2.1/flavors')
            status, headers, raw = wire.receive()
            assert (status, json.loads(raw)['flavors'][0]['id']) == (200, '1')
            check_headers(headers)
        wire.send(f'POST /v2.1/servers\nContent-Type: application/json\nContent-Length: {len(BODY)}', BODY)
        assert wire.receive()[0] == 202
        wire.send('DELETE /v2.1/flavors/1/os-extra_specs')
        assert wire.receive()[0] == 405
        wire.send('GET /v2.1/flavors')
        assert wire.receive()[0] == 200


def test_a_chunked_body_is_read(port: int) -> None:
    head = 'POST /v2.1/servers\nContent-Type: application/json\nTransfer-Encoding: chunked'
    with Wire(port) as wire:
        wire.send(head, _chunked(BODY[:10], BODY[10:20], BODY[20:]))
        status, _, raw = wire.receive()
        assert (status, 'server' in json.loads(raw)) == (202, True)
        wire.send('GET /v2.1/flavors')  # the connection is where it should be
        assert wire.receive()[0] == 200
    status, _, body = _ask(port, head, _chunked(b'{'))
    assert (status, 'not valid JSON' in body['badRequest']['message']) == (400, True)


def test_a_body_without_a_content_type_is_taken_for_json(port: int) -> None:
    status, _, body = _ask(port, f'POST /v2.1/servers\nContent-Length: {len(BODY)}', BODY)
    assert (status, 'server' in body) == (202, True)


def test_a_chunked_body_that_grows_too_large_is_a_413(port: int) -> None:
    with Wire(port) as wire:
        wire.send('POST /v2.1/servers\nContent-Type: application/json\nTransfer-Encoding: chunked')
        wire.more(_chunked(b'x' * LARGE)[: -len(b'0\r\n\r\n')])
        wire.more(b'0\r\n\r\n')
        status, headers, raw = wire.receive()
        assert status == 413
        check_headers(headers)
        check_error(413, json.loads(raw))
        assert 'close' in headers['connection']


def test_an_announced_body_that_is_too_large_is_a_413(port: int) -> None:
    with Wire(port) as wire:
        wire.send(f'POST /v2.1/servers\nContent-Type: application/json\nContent-Length: {LARGE}', b'x' * LARGE)
        status, headers, raw = wire.receive()
        assert status == 413
        check_headers(headers)
        check_error(413, json.loads(raw))
        assert 'close' in headers['connection']


def test_bad_chunks_are_refused(port: int) -> None:
    head = 'POST /v2.1/servers\nContent-Type: application/json\nTransfer-Encoding: chunked'
    status, _, body = _ask(port, head, b'zz\r\nhello\r\n0\r\n\r\n')
    assert status == 400
    assert 'Traceback' not in json.dumps(body)


@pytest.mark.parametrize(
    ('path', 'status'),
    [('/v2.1/servers/%00', 400), ('/v2.1/servers?name=%00', 400), ('/v2.1/nothing', 404), ('/', 200), ('/v2.1', 200)],
)
def test_urls_arrive_as_they_were_sent(port: int, path: str, status: int) -> None:
    got, headers, body = _ask(port, f'GET {path}')
    assert got == status
    check_headers(headers)
    if status >= 400:
        check_error(status, body)


def test_an_answer_without_a_body_leaves_the_connection_usable(port: int) -> None:
    with Wire(port) as wire:
        wire.send(f'POST /v2.1/servers\nContent-Type: application/json\nContent-Length: {len(BODY)}', BODY)
        server_id = json.loads(wire.receive()[2])['server']['id']
        wire.send(f'DELETE /v2.1/servers/{server_id}')
        assert (wire.receive()[0], _ask(port, f'GET /v2.1/servers/{server_id}')[0]) == (204, 404)
        wire.send('GET /v2.1/flavors')
        assert wire.receive()[0] == 200


@pytest.mark.parametrize(
    'head',
    [
        'NONSENSE',
        'GET /v2.1/servers\nContent-Length: many',
        'POST /v2.1/servers\nTransfer-Encoding: mystery',
        'GET ' + '/x' * 50000,
        'GET /v2.1/servers\nX-Long: ' + 'x' * 200000,
    ],
)
def test_what_is_not_http_gets_no_stack_trace(port: int, head: str) -> None:
    with Wire(port) as wire:
        wire.send(f'{head}\nConnection: close')
        raw = wire.rest()
    assert re.search(rb'\b[45]\d\d\b', raw[:1000])
    assert b'Traceback' not in raw
    assert _ask(port, 'GET /v2.1/flavors')[0] == 200


def test_links_name_the_address_where_a_request_names_no_host(port: int) -> None:
    with socket.create_connection(('127.0.0.1', port), timeout=10) as connection:
        connection.sendall(b'GET / HTTP/1.0\r\n\r\n')
        answer = connection.makefile('rb').read().decode()
    assert f'"http://127.0.0.1:{port}/v2.1/"' in answer


def test_headers_without_an_end_are_given_up(port: int) -> None:
    with socket.create_connection(('127.0.0.1', port), timeout=10) as connection:
        connection.sendall(b'GET / HTTP/1.1\r\nHost: x\r\nX: ' + b'a' * 100_000 + b'\r\n\r\n')
        status = connection.makefile('rb').readline().decode()
    assert re.match('HTTP/1.[01] (400|413|431) ', status), status
