"""What HTTP itself can get wrong: each answer is JSON in Nova's form, with all headers (the client checks them)."""

import io
from typing import Any

import pytest

from tests.functional.api.client import Client, World


class _Endless(io.RawIOBase):
    """A chunked body that never ends; counts what was read."""

    def __init__(self) -> None:
        self.read_bytes = 0

    def read(self, size: int = -1) -> bytes:
        size = 65536 if size < 0 else size
        self.read_bytes += size
        return b'x' * size


def test_nothing_is_there(alice: Client, world: World) -> None:
    nobody = Client(world.service.application, 'alice-token', '')
    for path in ('/v2.1/nothing', '/v2.1/servers/detail/more', '/v2.1/demo/nothing'):
        assert nobody.get(path).status == 404
    for path in ('/v3', '/nothing'):
        assert nobody.get(path).status == 404


@pytest.mark.parametrize(
    ('method', 'path', 'allowed'),
    [
        ('DELETE', '/servers', 'GET, POST'),
        ('PATCH', '/servers/1', 'DELETE, GET, PUT'),
        ('GET', '/servers/1/action', 'POST'),
        ('PUT', '/flavors', 'GET, POST'),
        ('BREW', '/flavors', ''),
    ],
)
def test_a_method_that_is_not_there_is_a_405_that_says_which_are(
    alice: Client, method: str, path: str, allowed: str
) -> None:
    reply = alice.send(method, path)
    if method == 'BREW':
        assert reply.status in (400, 405)
        return
    assert reply.status == 405
    assert set(allowed.split(', ')) <= set(reply.headers['allow'].split(', '))


@pytest.mark.parametrize(
    ('raw', 'words'),
    [
        (b'{', 'not valid JSON'),
        (b'{"server": {"name": "web",}}', 'not valid JSON'),
        (b'\xff\xfe', 'not valid JSON'),
        (b'{"server": "\xff"}', 'not valid JSON'),
        (b'NaN', 'not valid JSON'),
        (b'{"server": NaN}', 'not valid JSON'),
        (b'{"server": 1e999}', 'not valid JSON'),
        (b'{"server": "\\ud800"}', 'not valid JSON'),
        (b'{"server": ' + b'9' * 5000 + b'}', 'not valid JSON'),
        (b'{"server": ' + b'9' * 50 + b'}', '$.server'),
        (b'[]', 'must be a JSON object'),
        (b'null', 'must be a JSON object'),
        (b'"server"', 'must be a JSON object'),
        (b'{}', "'server' is a required property"),
        (b'{"server": null}', '$.server'),
        (b'{"server": []}', '$.server'),
        (b'{"server":' + b'[' * 100 + b']' * 100 + b'}', 'nested'),
        (b'{"os:scheduler_hints":' + b'{"a":' * 100 + b'1' + b'}' * 100 + b'}', 'nested'),
        (b'{"server":' + b'[' * 50000 + b']' * 50000 + b'}', 'nested'),
        (b'{"server":' + b'[' * 50000, 'JSON'),
    ],
)
def test_a_body_that_is_not_the_json_it_must_be_is_refused(alice: Client, raw: bytes, words: str) -> None:
    reply = alice.send('POST', '/servers', raw=raw)
    assert reply.status == 400
    assert words in reply.message or 'nested' in reply.message, reply.message


def test_no_body_is_refused_where_one_is_needed(alice: Client) -> None:
    reply = alice.send('POST', '/servers')
    assert (reply.status, 'needs a body' in reply.message) == (400, True)


def test_a_key_that_comes_twice_counts_once(alice: Client, new_server: dict[str, Any]) -> None:
    raw = b'{"flavor": {"name": "a", "name": "b", "ram": 0}}'
    assert alice.send('POST', '/flavors', raw=raw).status == 403  # it was understood, but is not for alice


@pytest.mark.parametrize('content_type', ['text/xml', 'application/x-www-form-urlencoded', 'application/jsonp', 'x'])
def test_another_content_type_is_refused(alice: Client, new_server: dict[str, Any], content_type: str) -> None:
    reply = alice.post('/servers', new_server, Content_Type=content_type)
    assert (reply.status, content_type in reply.message) == (415, True)


@pytest.mark.parametrize(
    'content_type',
    ['application/json', 'Application/JSON; charset=utf-8', 'application/vnd.openstack.compute+json', ''],
)
def test_json_may_be_called_so_in_several_ways(alice: Client, new_server: dict[str, Any], content_type: str) -> None:
    assert alice.post('/servers', new_server, Content_Type=content_type).status == 202


@pytest.mark.parametrize(
    'path',
    [
        '/servers/%00',
        '/servers/a%0ab',
        '/servers/%7F',
        '/servers?name=%00',
        '/servers?name=a%0Ab',
        '/servers?%00=1',
        '/servers?name=%7f',
        '/flavors/%1b',
    ],
)
def test_control_characters_in_a_url_are_refused(world: World, alice: Client, path: str) -> None:
    reply = alice.get(path)
    assert (reply.status, 'control characters' in reply.message) == (400, True)
    assert world.conductor.calls == []


def test_strange_but_harmless_urls_are_not_found(alice: Client) -> None:
    for path in ('/servers/%ff%fe', '/servers/..%2f..%2fetc', '/servers/%25', '/flavors/%E2%82%AC'):
        assert alice.get(path).status == 404


def test_a_body_that_is_announced_as_too_large_is_not_read(alice: Client) -> None:
    reply = alice.post('/servers', {}, Content_Length='114689')
    assert (reply.status, '114688' in reply.message) == (413, True)
    assert reply.headers['connection'] == 'close'


def test_a_chunked_body_that_grows_too_large_is_given_up(world: World) -> None:
    body = _Endless()
    started: list[Any] = []
    environ = {
        'REQUEST_METHOD': 'POST',
        'PATH_INFO': '/v2.1/servers',
        'SCRIPT_NAME': '',
        'QUERY_STRING': '',
        'SERVER_NAME': 'x',
        'SERVER_PORT': '1',
        'SERVER_PROTOCOL': 'HTTP/1.1',
        'wsgi.url_scheme': 'http',
        'wsgi.errors': io.StringIO(),
        'HTTP_TRANSFER_ENCODING': 'chunked',
        'HTTP_X_AUTH_TOKEN': 'alice-token',
        'wsgi.input': body,
    }
    pieces = world.service.application(environ, lambda *answer: started.append(answer))  # type: ignore[arg-type]
    assert (started[0][0][:3], b'overLimit' in b''.join(pieces)) == ('413', True)
    assert body.read_bytes < 3 * 114688


@pytest.mark.parametrize('length', ['many', '-5', '1 2', '1.5', '٣'])
def test_a_length_that_is_no_number_is_refused(world: World, length: str) -> None:
    environ: dict[str, Any] = {
        'REQUEST_METHOD': 'POST',
        'SCRIPT_NAME': '',
        'PATH_INFO': '/v2.1/servers',
        'QUERY_STRING': '',
        'SERVER_NAME': 'x',
        'SERVER_PORT': '1',
        'wsgi.url_scheme': 'http',
        'wsgi.input': io.BytesIO(),
        'CONTENT_LENGTH': length,
        'HTTP_X_AUTH_TOKEN': 'alice-token',
    }
    started: list[Any] = []
    b''.join(world.service.application(environ, lambda *answer: started.append(answer)))  # type: ignore[arg-type]
    assert started[0][0][:3] == '400'


def test_a_body_that_ends_early_is_refused(alice: Client) -> None:
    reply = alice.send('POST', '/servers', raw=b'{}', headers={'Content_Length': '10'})
    assert (reply.status, 'ended before' in reply.message) == (400, True)


def test_a_head_has_no_body(alice: Client) -> None:
    reply = alice.send('HEAD', '/servers')
    assert (reply.status, reply.raw) == (405, b'')
