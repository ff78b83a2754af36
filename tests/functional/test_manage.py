"""cloudplane-manage, and what the mains say when something is wrong."""

import json
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest

from cloudplane.images import qcow2
from tests.functional.cloud import GIB, Cloud, write_config
from tests.functional.process import CHECKOUT, manage


def run_all_in_one(config_file: Path) -> subprocess.CompletedProcess[str]:
    """Start the all-in-one where it must refuse to run."""
    return subprocess.run(
        [sys.executable, '-m', 'cloudplane.cmd.all_in_one', '--config-file', str(config_file)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def upgraded(path: Path, options: Mapping[str, Mapping[str, str]] | None = None) -> Path:
    """A configuration whose database has its schema."""
    config = write_config(path, options or {})
    assert manage(config, 'db', 'upgrade').returncode == 0
    return config


def test_the_schema_is_made_once_and_its_version_is_shown(tmp_path: Path) -> None:
    config = write_config(tmp_path, {})
    assert manage(config, 'db', 'current').stdout == 'empty\n'
    assert manage(config, 'db', 'upgrade').stdout == '0001\n'
    assert manage(config, 'db', 'upgrade').stdout == '0001\n'
    assert manage(config, 'db', 'current').stdout == '0001\n'


def test_without_a_schema_every_main_says_what_to_run(tmp_path: Path) -> None:
    config = write_config(tmp_path, {})
    for refused in (manage(config, 'service', 'list'), manage(config, 'audit'), run_all_in_one(config)):
        assert refused.returncode == 1
        assert 'the database is empty: run `cloudplane-manage db upgrade` first' in refused.stderr
        assert 'Traceback' not in refused.stderr


def test_images_are_made_listed_and_deleted(tmp_path: Path) -> None:
    config = upgraded(tmp_path)
    file = tmp_path / 'disk.qcow2'
    file.write_bytes(qcow2.overlay(GIB, None, ''))
    image_id = str(uuid.uuid4())
    arguments = ('image', 'create', 'disk', '--file', str(file), '--id', image_id, '--property', 'os_distro=debian')
    assert manage(config, *arguments).stdout == f'{image_id}\n'
    assert manage(config, *arguments).stdout == f'{image_id}\n'  # a second time changes nothing
    (image,) = json.loads(manage(config, 'image', 'list', '--json').stdout)
    assert (image['id'], image['name'], image['status'], image['format']) == (image_id, 'disk', 'active', 'qcow2')
    assert image_id in manage(config, 'image', 'list').stdout
    assert manage(config, 'image', 'delete', image_id).returncode == 0
    assert manage(config, 'image', 'list').stdout == 'There are none\n'
    again = manage(config, 'image', 'delete', image_id)
    assert again.returncode == 1
    assert image_id in again.stderr


def test_a_hostile_image_is_refused_with_a_reason_and_leaves_nothing(tmp_path: Path) -> None:
    config = upgraded(tmp_path)
    file = tmp_path / 'hostile.qcow2'
    file.write_bytes(qcow2.overlay(GIB, '/etc/shadow', 'raw'))
    refused = manage(config, 'image', 'create', 'hostile', '--file', str(file))
    assert refused.returncode == 1
    assert 'backing file' in refused.stderr
    assert manage(config, 'image', 'list').stdout == 'There are none\n'
    missing = manage(config, 'image', 'create', 'x', '--file', str(tmp_path / 'nothing'))
    assert missing.returncode == 1
    assert 'there is no file' in missing.stderr


def test_services_hosts_and_the_audit_of_a_running_cloud(cloud: Cloud) -> None:
    server_id = cloud.boot()
    services = json.loads(manage(cloud.config_file, 'service', 'list', '--json').stdout)
    assert {(service['binary'], service['state']) for service in services} == {
        ('cloudplane-compute', 'up'),
        ('cloudplane-conductor', 'up'),
        ('cloudplane-scheduler', 'up'),
    }
    (host,) = json.loads(manage(cloud.config_file, 'host', 'list', '--json').stdout)
    assert (host['host'], host['state'], host['servers'], host['vcpus']) == ('host-1', 'up', 1, '1/64')
    assert manage(cloud.config_file, 'audit').stdout == 'Everything agrees\n'

    database = cloud.database()
    database.write(lambda conn: conn.exec_driver_sql('UPDATE hosts SET used_vcpus = 7'))
    found = manage(cloud.config_file, 'audit')
    assert found.returncode == 1
    assert 'used_vcpus 7' in found.stdout
    assert manage(cloud.config_file, 'audit', '--repair').returncode == 0
    assert manage(cloud.config_file, 'audit').returncode == 0
    assert cloud.server(server_id)['status'] == 'ACTIVE'


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'DEFAULT': {'concurrency_backend': 'asyncio'}}, "concurrency_backend is 'asyncio'"),
        ({'api': {'port': 'many'}}, 'port'),
        ({'compute': {'driver': 'xen'}}, "there is no driver 'xen'"),
        ({'scheduler': {'enabled_filters': 'compute,nonsense'}}, 'nonsense'),
        ({'scheduler': {'weighers': 'memory:heavy'}}, "'heavy', not a number"),
        ({'images': {'store': 'tape'}}, "'tape' is not known"),
        ({'api': {'auth_strategy': 'static', 'token_file': '/nonexistent'}}, '/nonexistent'),
    ],
)
def test_a_wrong_option_is_named_in_one_line(tmp_path: Path, options: dict[str, dict[str, str]], words: str) -> None:
    config = write_config(tmp_path, {})
    assert manage(config, 'db', 'upgrade').returncode == 0
    refused = run_all_in_one(write_config(tmp_path, options))
    assert refused.returncode == 1
    assert words in refused.stderr
    assert 'Traceback' not in refused.stderr


def test_wrong_arguments_print_how_it_is_used(tmp_path: Path) -> None:
    config = write_config(tmp_path, {})
    for arguments in ((), ('nonsense',), ('db',), ('image', 'create')):
        refused = manage(config, *arguments)
        assert refused.returncode == 2, refused
        assert 'usage: cloudplane-manage' in refused.stderr
