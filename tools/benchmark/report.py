"""Shows figures: a table for people, a JSON file for programs, ratios to an earlier file."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from tools.benchmark.figures import Figure


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What --json writes and --compare reads."""

    figures: list[Figure]


def write(path: Path, figures: Sequence[Figure]) -> None:
    """Write the file as a whole."""
    part = path.with_name(f'{path.name}.part')
    part.write_bytes(msgspec.json.format(msgspec.json.encode(Document(figures=list(figures))), indent=1) + b'\n')
    part.rename(path)


def read(path: Path) -> list[Figure]:
    """The figures of a file. OSError, msgspec.DecodeError."""
    return msgspec.json.decode(path.read_bytes(), type=Document).figures


def table(figures: Sequence[Figure]) -> str:
    """Name, value, unit."""
    rows = [('figure', 'value', 'unit')]
    rows += [(figure.name, number(figure.value), figure.unit) for figure in figures]
    return _aligned(rows)


def comparison(figures: Sequence[Figure], earlier: Sequence[Figure]) -> str:
    """The same with the earlier values, and how many times as large the new ones are."""
    before = {figure.key: figure for figure in earlier}
    rows = [('figure', 'value', 'unit', 'earlier', 'ratio')]
    for figure in figures:
        old = before.get(figure.key)
        row = (figure.name, number(figure.value), figure.unit)
        rows.append((*row, '-', '-') if old is None else (*row, number(old.value), ratio(figure, old)))
    return _aligned(rows)


def ratio(figure: Figure, old: Figure) -> str:
    """`x1.25`; with a star if it was not measured under the same settings."""
    star = '' if _conditions(figure) == _conditions(old) else ' *'
    if old.unit != figure.unit or old.value == 0:
        return f'-{star}'
    return f'x{figure.value / old.value:.2f}{star}'


def number(value: float) -> str:
    """As many digits as mean something."""
    if value == 0:
        return '0'
    return f'{value:.0f}' if abs(value) >= 100 else f'{value:.1f}' if abs(value) >= 10 else f'{value:.2f}'


def _conditions(figure: Figure) -> dict[str, object]:
    """The settings that change a figure; how many samples there were only makes it more or less sure."""
    return {name: value for name, value in figure.settings.items() if name not in ('samples', 'version')}


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return '\n'.join(_line(row, widths) for row in rows)


def _line(row: tuple[str, ...], widths: Iterable[int]) -> str:
    cells = [
        text.rjust(width) if column in (1, 3) else text.ljust(width)
        for column, (text, width) in enumerate(zip(row, widths, strict=True))
    ]
    return '  '.join(cells).rstrip()
