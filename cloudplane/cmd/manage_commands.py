"""The commands of cloudplane-manage, and how their answers look."""

import argparse
import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from oslo_config import cfg

from cloudplane import exceptions
from cloudplane.cmd import wiring


def add_commands() -> None:
    """Register the command line on the global configuration."""
    cfg.CONF.register_cli_opt(cfg.SubCommandOpt('command', title='Commands', handler=_parsers))


def _parsers(subparsers: Any) -> None:
    _database_parser(_group(subparsers, 'db', 'The database schema'))
    services = _group(subparsers, 'service', 'Daemons')
    _command(services, 'list', service_list, 'All daemons, and whether they are alive').add_argument(
        '--json', action='store_true', dest='as_json', help='for programs'
    )
    _host_parser(_group(subparsers, 'host', 'Compute hosts'))
    _image_parser(_group(subparsers, 'image', 'Images'))
    auditor = _command(subparsers, 'audit', audit, 'Compare what must agree; exit code 1 if something does not')
    auditor.add_argument('--repair', action='store_true', help='mend what can be mended safely')
    auditor.add_argument('--json', action='store_true', dest='as_json', help='for programs')


def _group(subparsers: Any, name: str, text: str) -> Any:
    return subparsers.add_parser(name, help=text).add_subparsers(required=True, metavar='COMMAND')


def _command(subparsers: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    return parser


def _database_parser(commands: Any) -> None:
    upgrade = _command(
        commands, 'upgrade', db_upgrade, 'Make or upgrade the schema; harmless when there is nothing to do'
    )
    upgrade.add_argument('revision', nargs='?', default='head', help='the version to upgrade to (default: the newest)')
    _command(commands, 'current', db_current, 'Print the version of the schema')


def _host_parser(commands: Any) -> None:
    _command(commands, 'list', host_list, 'All compute hosts, with what is used').add_argument(
        '--json', action='store_true', dest='as_json', help='for programs'
    )


def _image_parser(commands: Any) -> None:
    create = _command(commands, 'create', image_create, 'Add an image from a file; prints its id')
    create.add_argument('image_name', metavar='name')  # `name` is oslo.config's, of the command
    create.add_argument('--file', required=True, type=Path, help='the image file')
    create.add_argument('--disk-format', choices=['qcow2', 'raw'], default='qcow2')
    create.add_argument('--id', help='its id, a UUID (default: a new one); one that exists already is left as it is')
    create.add_argument('--private', action='store_true', help='for one project alone (see --project)')
    create.add_argument('--project', help='the project that owns it')
    create.add_argument('--min-disk', type=int, default=0, metavar='GB')
    create.add_argument('--min-ram', type=int, default=0, metavar='MB')
    create.add_argument('--property', action='append', default=[], metavar='KEY=VALUE')
    _command(commands, 'list', image_list, 'All images').add_argument(
        '--json', action='store_true', dest='as_json', help='for programs'
    )
    delete = _command(commands, 'delete', image_delete, 'Remove an image; servers made from it keep working')
    delete.add_argument('id')


# Database


def db_upgrade(conf: Any) -> int:
    """cloudplane-manage db upgrade."""
    from cloudplane.conductor.db import schema

    database = wiring.database(conf)
    schema.upgrade(database, conf.command.revision)
    print(schema.current(database))
    return 0


def db_current(conf: Any) -> int:
    """cloudplane-manage db current."""
    from cloudplane.conductor.db import schema

    print(schema.current(wiring.database(conf)) or 'empty')
    return 0


def _checked_database(conf: Any) -> Any:
    from cloudplane.conductor.db import schema

    database = wiring.database(conf)
    schema.check(database)
    return database


# Services, hosts, audit


def service_list(conf: Any) -> int:
    """cloudplane-manage service list."""
    from cloudplane.conductor.db import hosts

    found = _checked_database(conf).read(lambda conn: hosts.services(conn, conf.operations.host_down_s))
    rows = [
        {
            'binary': service.binary,
            'host': service.host,
            'zone': service.zone,
            'status': 'disabled' if service.disabled else 'enabled',
            'state': 'up' if service.up else 'down',
            'last_heard': service.updated_at,
        }
        for service in found
    ]
    _show(rows, conf.command.as_json)
    return 0


def host_list(conf: Any) -> int:
    """cloudplane-manage host list."""
    from cloudplane.conductor.db import hosts

    rows = [
        {
            'host': host.name,
            'zone': host.zone,
            'state': 'forced down' if host.forced_down else 'up' if host.up else 'down',
            'status': 'disabled' if host.disabled else 'enabled',
            'hypervisor': host.hypervisor_type,
            'vcpus': f'{host.used_vcpus}/{host.total_vcpus}',
            'memory_mb': f'{host.used_memory_mb}/{host.total_memory_mb}',
            'disk_gb': f'{host.used_disk_gb}/{host.total_disk_gb}',
            'servers': host.running_guests,
        }
        for host in _checked_database(conf).read(hosts.details)
    ]
    _show(rows, conf.command.as_json)
    return 0


def audit(conf: Any) -> int:
    """cloudplane-manage audit."""
    from cloudplane.conductor.audit import audit as compare

    found = compare(_checked_database(conf), repair=conf.command.repair)
    if conf.command.as_json:
        print(json.dumps([_plain(difference) for difference in found]))
    else:
        for difference in found:
            repaired = ' (repaired)' if difference.repaired else ''
            print(
                f'{difference.subject} {difference.id}: expected {difference.expected}, '
                f'found {difference.found}{repaired}'
            )
        print(f'{len(found)} differences' if found else 'Everything agrees')
    return 1 if any(not difference.repaired for difference in found) else 0


# Images


def image_create(conf: Any) -> int:
    """cloudplane-manage image create."""
    from cloudplane.images.store import no_progress
    from cloudplane.objects import image as images

    command = conf.command
    if not command.file.is_file():
        raise exceptions.BadRequest(f'there is no file {command.file}')
    store = wiring.image_store(conf)
    image_id = command.id or str(uuid.uuid4())
    record = store.create(
        images.Image(
            id=image_id,
            name=command.image_name,
            disk_format=command.disk_format,
            owner=command.project,
            visibility='private' if command.private else 'public',
            min_disk_gb=command.min_disk,
            min_memory_mb=command.min_ram,
            properties=_properties(command.property),
        )
    )
    if record.status != images.ACTIVE:
        _upload(store, image_id, command.file, no_progress)
    print(image_id)
    return 0


def _upload(store: Any, image_id: str, file: Path, progress: Any) -> None:
    try:
        with file.open('rb') as stream:
            store.upload(image_id, stream, progress)
    except exceptions.CloudplaneException:
        store.delete(image_id, missing_ok=True)  # nobody knows of it yet
        raise


def _properties(pairs: Sequence[str]) -> dict[str, str]:
    properties = {}
    for pair in pairs:
        key, equals, value = pair.partition('=')
        if not (key and equals):
            raise exceptions.BadRequest(f'--property {pair}: it must be KEY=VALUE')
        properties[key] = value
    return properties


def image_list(conf: Any) -> int:
    """cloudplane-manage image list."""
    from cloudplane.images.store import ImageQuery

    rows = [
        {
            'id': image.id,
            'name': image.name,
            'status': image.status,
            'format': image.disk_format,
            'size_bytes': image.size_bytes,
            'visibility': image.visibility,
            'project': image.owner,
        }
        for image in wiring.image_store(conf).find(ImageQuery())
    ]
    _show(rows, conf.command.as_json)
    return 0


def image_delete(conf: Any) -> int:
    """cloudplane-manage image delete."""
    wiring.image_store(conf).delete(conf.command.id)
    return 0


# How answers look


def _plain(record: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(record)


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows))
        return
    if not rows:
        print('There are none')
        return
    texts = [{key: '-' if value is None else str(value) for key, value in row.items()} for row in rows]
    widths = {key: max(len(key), *(len(row[key]) for row in texts)) for key in texts[0]}
    print('  '.join(key.upper().ljust(width) for key, width in widths.items()).rstrip())
    for row in texts:
        print('  '.join(row[key].ljust(width) for key, width in widths.items()).rstrip())
