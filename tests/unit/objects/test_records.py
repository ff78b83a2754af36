"""Records: a change raises the version, and releases N and N+1 understand each other."""

import json
from typing import Any

import msgspec
import pytest

from cloudplane.objects.base import Record, from_wire, is_wire_record, to_wire
from cloudplane.objects.flavor import Flavor
from cloudplane.objects.operation import BuildSpec, Verdict
from tests.unit.objects.fingerprints import PATH, fingerprints

FLAVOR = Flavor(id='1', name='tiny', vcpus=1, memory_mb=64, root_gb=1)
HOW = 'then run `python -m tests.unit.objects.fingerprints`'


def _kept() -> dict[str, dict[str, Any]]:
    kept: dict[str, dict[str, Any]] = json.loads(PATH.read_text())
    return kept


def test_every_record_has_a_fingerprint() -> None:
    assert sorted(fingerprints()) == sorted(_kept()), HOW


@pytest.mark.parametrize('name', sorted(fingerprints()))
def test_a_record_that_changed_has_a_new_version(name: str) -> None:
    now, kept = fingerprints()[name], _kept().get(name, {})

    if now['fields'] != kept.get('fields'):
        assert now['version'] != kept.get('version'), f'{name} has changed: raise its VERSION, {HOW}'
    assert now == kept, HOW


@pytest.mark.parametrize('name', sorted(fingerprints()))
def test_a_field_that_was_added_later_has_a_default(name: str) -> None:
    now, kept = fingerprints()[name], _kept().get(name, {'version': '', 'fields': {}})

    if now['version'].split('.')[0] == kept['version'].split('.')[0]:
        added = now['fields'].keys() - kept['fields'].keys()
        assert all(' = ' in now['fields'][field] for field in added)


def test_a_record_survives_the_wire() -> None:
    spec = BuildSpec(operation_id='o', server_id='s', attempt=1, project_id='p', flavor=FLAVOR, excluded_hosts=(1, 2))

    wire = json.loads(json.dumps(to_wire(spec)))

    assert is_wire_record(wire)
    assert from_wire(wire) == spec


def test_a_field_that_a_newer_release_added_is_ignored() -> None:
    wire = to_wire(Verdict(accepted=True))
    wire['version'] = '1.7'
    wire['data']['mood'] = 'good'

    assert from_wire(wire) == Verdict(accepted=True)


def test_a_field_that_an_older_release_does_not_send_has_its_default() -> None:
    wire = to_wire(Verdict(accepted=False, reason='no'))
    del wire['data']['reason']

    assert from_wire(wire) == Verdict(accepted=False)


def test_another_major_version_is_refused() -> None:
    wire = to_wire(Verdict(accepted=True))
    wire['version'] = '2.0'

    with pytest.raises(msgspec.ValidationError, match='Verdict'):
        from_wire(wire)


def test_an_unknown_record_is_refused_by_name() -> None:
    with pytest.raises(msgspec.ValidationError, match='Teleport'):
        from_wire({'record': 'Teleport', 'version': '1.0', 'data': {}})


@pytest.mark.parametrize('data', [{}, {'accepted': 'yes'}, {'accepted': True, 'reason': 7}])
def test_what_is_not_valid_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        from_wire({'record': 'Verdict', 'version': '1.0', 'data': data})


def test_a_dictionary_that_looks_otherwise_is_no_record() -> None:
    assert not is_wire_record({'record': 'Verdict', 'version': '1.0'})
    assert not is_wire_record([])


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        FLAVOR.vcpus = 2  # type: ignore[misc]  # that is what is tested
    assert FLAVOR.evolve(vcpus=2).vcpus == 2


def test_records_are_found_by_their_names_alone() -> None:
    names = [kind.__name__ for kind in Record.__subclasses__()]

    assert len(names) == len(set(names))
