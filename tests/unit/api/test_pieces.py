"""Small things: times, links, queries, error bodies, and where the pipeline file is."""

import importlib.metadata
from pathlib import Path
from typing import Any

import msgspec
import pytest
from oslo_config import cfg

import cloudplane
from cloudplane import exceptions
from cloudplane.api import errors, pipeline
from cloudplane.api.compute.links import Links
from cloudplane.api.compute.query import Query
from cloudplane.api.compute.validation import Validator
from cloudplane.api.compute.views import times
from cloudplane.api.settings import ApiSettings, settings_from
from cloudplane.conf import opts
from cloudplane.exceptions import BadRequest, ConfigurationError


def test_times_have_the_two_forms_of_nova() -> None:
    assert times.with_z('2026-01-02T03:04:05.678900') == '2026-01-02T03:04:05Z'
    assert times.with_microseconds('2026-01-02T03:04:05.678900') == '2026-01-02T03:04:05.678900'
    assert times.with_microseconds('2026-01-02T03:04:05Z') == '2026-01-02T03:04:05.000000'
    assert times.with_microseconds('2026-01-02T03:04:05') == '2026-01-02T03:04:05.000000'
    assert times.with_microseconds('2026-01-02T03:04:05.5') == '2026-01-02T03:04:05.500000'
    assert times.with_microseconds(None) is None


def test_links_quote_what_they_hold() -> None:
    links = Links('http://x/', 'a b')
    assert links.itself('os-keypairs', 'my key') == 'http://x/v2.1/a%20b/os-keypairs/my%20key'
    assert links.next_page('servers', {'name': ['a&b'], 'marker': ['old']}, 'new')[0]['href'] == (
        'http://x/v2.1/a%20b/servers?name=a%26b&marker=new'
    )


def test_a_query_gives_what_was_sent_last() -> None:
    query = Query('a=1&a=2&b&c=yes&d=maybe')
    assert (query.one('a'), query.all('a'), query.one('b'), query.one('z')) == ('2', ['1', '2'], '', None)
    assert query.number('a') == 2
    assert (query.flag('c'), query.flag('z', default=True), query.flag('b', empty=True)) == (True, True, True)
    with pytest.raises(BadRequest):
        query.flag('d')
    with pytest.raises(BadRequest):
        query.number('c')


@pytest.mark.parametrize(
    ('code', 'name'),
    [
        (400, 'badRequest'),
        (404, 'itemNotFound'),
        (406, 'computeFault'),
        (409, 'conflictingRequest'),
        (413, 'overLimit'),
        (422, 'computeFault'),
        (500, 'computeFault'),
    ],
)
def test_an_error_has_novas_name_for_its_code(code: int, name: str) -> None:
    assert msgspec.json.decode(errors.fault_body(code, 'words')) == {name: {'code': code, 'message': 'words'}}


def _all_exceptions(kind: type[Exception] = exceptions.CloudplaneException) -> list[type[Exception]]:
    return [kind, *(inner for each in kind.__subclasses__() for inner in _all_exceptions(each))]


@pytest.mark.parametrize('kind', _all_exceptions(), ids=lambda kind: kind.__name__)
def test_every_exception_is_either_told_or_kept_from_clients(kind: Any) -> None:
    answer = errors.answer_to(kind('words'))
    assert answer is None or (answer.message, 400 <= answer.code < 600, answer.code != 500) == ('words', True, True)


def test_a_refusal_does_not_repeat_a_long_value() -> None:
    with pytest.raises(BadRequest) as refused:
        Validator({'type': 'object', 'properties': {'a': {'type': 'integer'}}}).check({'a': 'x' * 10000})
    assert len(refused.value.message) < 400
    assert '$.a' in refused.value.message


@pytest.mark.parametrize(
    ('schema', 'value', 'reason'),
    [
        ({'type': 'string', 'maxLength': 255}, 'x' * 70_000, 'is too long (at most 255)'),
        ({'type': 'object'}, ['x' * 400], "is not of type 'object'"),
        ({'type': 'array', 'maxItems': 2}, list(range(400)), 'is too long (at most 2)'),
    ],
)
def test_a_refusal_of_a_long_value_still_says_what_is_wrong_with_it(
    schema: dict[str, Any], value: object, reason: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        Validator(schema).check(value)
    assert str(refused.value).endswith(f'… {reason}')
    assert len(str(refused.value)) < 150


def test_the_pipeline_file_of_the_checkout_is_found() -> None:
    path = pipeline.shipped_file()
    assert path == Path(__file__).parents[3] / 'etc/cloudplane/api-paste.ini'


def test_the_pipeline_file_of_an_installation_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / 'prefix/etc/cloudplane/api-paste.ini'
    installed.parent.mkdir(parents=True)
    installed.touch()
    site_packages = tmp_path / 'prefix/lib/python3/site-packages'
    (site_packages / 'cloudplane-1.dist-info').mkdir(parents=True)
    (site_packages / 'cloudplane-1.dist-info/METADATA').write_text('Name: cloudplane\nVersion: 1\n')
    (site_packages / 'cloudplane-1.dist-info/RECORD').write_text('../../../etc/cloudplane/api-paste.ini,,\n')
    monkeypatch.setattr(cloudplane, '__file__', str(site_packages / 'cloudplane/__init__.py'))
    (distribution,) = importlib.metadata.distributions(path=[str(site_packages)])
    monkeypatch.setattr(importlib.metadata, 'files', lambda _name: distribution.files)
    assert pipeline.shipped_file().resolve() == installed


def test_a_missing_pipeline_file_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudplane, '__file__', str(tmp_path / 'cloudplane/__init__.py'))
    monkeypatch.setattr(pipeline, '_installed', lambda: None)
    monkeypatch.setattr(pipeline, '_FILE', 'etc/cloudplane/no-such-file.ini')
    with pytest.raises(ConfigurationError, match='paste_config'):
        pipeline.shipped_file()


def test_settings_are_the_options() -> None:
    conf = cfg.ConfigOpts()
    opts.register(conf)
    conf([], default_config_files=[])
    assert settings_from(conf) == ApiSettings(oslo_conf=conf)


def test_factories_refuse_to_work_outside_of_the_service() -> None:
    with pytest.raises(ConfigurationError):
        pipeline.wiring_of({'cloudplane_wiring': 'a string'})
