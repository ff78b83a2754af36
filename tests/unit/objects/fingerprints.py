"""What each record looks like to the other end of the wire.

`python -m tests.unit.objects.fingerprints` writes the file anew, once VERSION has been raised where a record changed:
the minor part for a new field with a default, the major part for anything else.
"""

import json
import pkgutil
import sys
import types
import typing
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from cloudplane import objects
from cloudplane.objects.base import Record, known_records

PATH = Path(__file__).with_suffix('.json')


def fingerprints() -> dict[str, dict[str, Any]]:
    """Name -> version, and field -> type and default, of every record of cloudplane.objects."""
    for module in pkgutil.iter_modules(objects.__path__, f'{objects.__name__}.'):
        import_module(module.name)
    ours = {name: kind for name, kind in known_records().items() if kind.__module__.startswith(f'{objects.__name__}.')}
    return {name: {'version': kind.VERSION, 'fields': _fields(kind)} for name, kind in sorted(ours.items())}


def _fields(kind: type[Record]) -> dict[str, str]:
    hints = typing.get_type_hints(kind)
    return {field.name: _shown(hints[field.name]) + _default(field) for field in msgspec.structs.fields(kind)}


def _shown(hint: Any) -> str:
    """A type as text that is the same in every release of Python."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return ' | '.join(_shown(argument) for argument in arguments)
    if origin is not None:
        return f'{origin.__name__}[{", ".join(_shown(argument) for argument in arguments)}]'
    if hint is Ellipsis:
        return '...'
    return 'None' if hint is type(None) else str(getattr(hint, '__name__', hint))


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return ''
    made = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
    return f' = {made!r}'


if __name__ == '__main__':
    PATH.write_text(json.dumps(fingerprints(), indent=1) + '\n')
    sys.stdout.write(f'wrote {PATH}\n')
