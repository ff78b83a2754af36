"""Whatever breaks, a client reads JSON in Nova's form with a request id, and the log has the rest."""

import logging
from pathlib import Path
from typing import Any

import pytest
from webob.exc import HTTPForbidden, HTTPRequestEntityTooLarge  # type: ignore[import-untyped]  # WebOb has no types

from cloudplane.api.pipeline import shipped_file
from cloudplane.api.settings import ApiSettings
from cloudplane.exceptions import BadRequest, ConfigurationError
from tests.functional.api.client import Client, World

# Filters of an operator's, for PasteDeploy to find here.


def html_filter(_global_conf: dict[str, str], **_local_conf: str) -> Any:
    """Refuses everything, in HTML."""
    return lambda _application: HTTPRequestEntityTooLarge(explanation='<b>secret detail</b>')


def json_filter(_global_conf: dict[str, str], **_local_conf: str) -> Any:
    """Refuses everything, in JSON."""
    return lambda _application: HTTPForbidden(
        body=b'{"forbidden": {"code": 403, "message": "by the filter"}}', content_type='application/json'
    )


def broken_filter(_global_conf: dict[str, str], **_local_conf: str) -> Any:
    """Breaks before it answers."""

    def application(_environ: Any, _start_response: Any) -> Any:
        raise ZeroDivisionError('secret detail')

    return lambda _application: application


def refusing_filter(_global_conf: dict[str, str], **_local_conf: str) -> Any:
    """Lets an exception of cloudplane's pass."""

    def application(_environ: Any, _start_response: Any) -> Any:
        raise BadRequest('by the filter')

    return lambda _application: application


def lazy_filter(_global_conf: dict[str, str], **_local_conf: str) -> Any:
    """Begins its answer when the body is read, as a generator does."""

    def application(_environ: Any, start_response: Any) -> Any:
        start_response('404 Not Found', [('Content-Type', 'text/html')])
        yield b'<html>secret detail</html>'

    return lambda _application: application


def _with_filter(tmp_path: Path, name: str) -> Client:
    text = shipped_file().read_text()
    text = text.replace('body_limit authentication', 'body_limit operators authentication')
    text += f'\n[filter:operators]\npaste.filter_factory = {__name__}:{name}\n'
    path = tmp_path / 'paste.ini'
    path.write_text(text)
    return Client(World(ApiSettings(paste_config=str(path))).service.application)


def test_an_operators_filter_may_answer_in_a_shape_of_its_own(tmp_path: Path) -> None:
    for name, status in (('html_filter', 413), ('lazy_filter', 404)):
        reply = _with_filter(tmp_path, name).get('/servers')
        assert (reply.status, b'secret' in reply.raw) == (status, False)


def test_an_answer_that_is_json_already_is_left_alone(tmp_path: Path) -> None:
    reply = _with_filter(tmp_path, 'json_filter').get('/servers')
    assert (reply.status, reply.message) == (403, 'by the filter')


def test_a_filter_that_breaks_is_a_500_with_all_headers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reply = _with_filter(tmp_path, 'broken_filter').get('/servers')
    assert (reply.status, b'secret' in reply.raw) == (500, False)
    assert reply.headers['x-openstack-request-id'] in reply.message
    assert 'ZeroDivisionError: secret detail' in caplog.text
    assert reply.headers['x-openstack-request-id'] in caplog.text


def test_an_exception_of_ours_keeps_its_meaning(tmp_path: Path) -> None:
    reply = _with_filter(tmp_path, 'refusing_filter').get('/servers')
    assert (reply.status, reply.message) == (400, 'by the filter')


def test_a_handler_that_breaks_is_a_500_with_the_request_id(
    world: World, alice: Client, caplog: pytest.LogCaptureFixture
) -> None:
    world.conductor.error = RuntimeError('password of the database is hunter2')
    reply = alice.get('/servers')
    assert (reply.status, b'hunter2' in reply.raw) == (500, False)
    assert reply.headers['x-openstack-request-id'] in reply.message
    assert 'hunter2' in caplog.text


def test_a_pipeline_that_cannot_be_composed_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'paste.ini'
    with pytest.raises(ConfigurationError, match='No such file'):
        World(ApiSettings(paste_config=str(path)))
    for text in (
        '',
        '[pipeline:main]\npipeline = nothing\n',
        '[app:main]\npaste.app_factory = cloudplane.api:nothing\n',
        '[app:main]\npaste.app_factory = no.such.module:app\n',
        'nonsense',
    ):
        path.write_text(text)
        with pytest.raises(ConfigurationError, match=r'paste\.ini'):
            World(ApiSettings(paste_config=str(path)))


def test_each_request_leaves_one_line(world: World, alice: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, 'cloudplane.api.middleware.request_log')
    reply = alice.get('/flavors?limit=1')
    alice.get('/servers/%0aGET%20/forged%20200')
    Client(world.service.application, None).get('/servers')
    lines = [record.getMessage() for record in caplog.records if record.name.endswith('request_log')]
    assert len(lines) == 3
    assert lines[0].startswith(f'GET /v2.1/flavors?limit=1 200 {len(reply.raw)} bytes ')
    assert lines[0].endswith(' ms')
    assert lines[1].startswith('GET /v2.1/servers/%0AGET%20/forged%20200 400 ')
    assert lines[2].startswith('GET /v2.1/servers 401 ')
