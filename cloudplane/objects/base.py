"""What every record that travels between services has in common.

A record is a frozen msgspec struct. On the wire it is `{"record": NAME, "version": "1.0", "data": {…}}`; it is
validated when it is received, and fields that the receiver does not know are ignored, so that releases N and N+1
understand each other. A new field has a default. The fingerprint test says when VERSION must rise.
"""

from typing import Any, ClassVar, Self

import msgspec

_registry: dict[str, type['Record']] = {}


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all records; subclasses are found by their name."""

    VERSION: ClassVar[str] = '1.0'

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _registry[cls.__name__] = cls

    def evolve(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return msgspec.structs.replace(self, **changes)


def known_records() -> dict[str, type[Record]]:
    """All records by name."""
    return dict(_registry)


def to_wire(record: Record) -> dict[str, Any]:
    """The JSON-able form of a record."""
    return {'record': type(record).__name__, 'version': record.VERSION, 'data': msgspec.to_builtins(record)}


def is_wire_record(value: object) -> bool:
    """Whether a received value is the wire form of a record."""
    return isinstance(value, dict) and value.keys() == {'record', 'version', 'data'}


def from_wire(value: dict[str, Any]) -> Record:
    """The record of a wire form; raises msgspec.ValidationError for an unknown name, major version, or bad field."""
    kind = _registry.get(value['record'])
    if kind is None:
        raise msgspec.ValidationError(f'unknown record {value["record"]!r}')
    if value['version'].split('.')[0] != kind.VERSION.split('.')[0]:
        raise msgspec.ValidationError(f'{value["record"]} {value["version"]} cannot be read as {kind.VERSION}')
    return msgspec.convert(value['data'], kind)
