"""The kernel of an unpacked Debian kernel package: its image, and those of its modules that are asked for."""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from imagebuild.commands import BuildError

# Each module says in its .modinfo section which others it needs.
MODULE_NEEDS = re.compile(rb'\0depends=([\w,-]*)\0')


class Kernel:
    """A kernel package, unpacked into a folder."""

    def __init__(self, package_folder: Path) -> None:
        images = sorted((package_folder / 'boot').glob('vmlinuz-*'))
        if len(images) != 1:
            raise BuildError(f'expected one kernel in {package_folder}/boot, found {len(images)}')
        self.image = images[0]
        self.version = self.image.name.removeprefix('vmlinuz-')
        self._modules_folder = package_folder / 'lib' / 'modules' / self.version
        self._files = {module_name(path): path for path in self._modules_folder.rglob('*.ko')}
        built_in = (self._modules_folder / 'modules.builtin').read_text().split()
        self._built_in = {module_name(Path(line)) for line in built_in}

    def copy_modules(self, names: Iterable[str], tree: Path) -> None:
        """Copy modules and all that they need into a tree, with the index that modprobe reads."""
        needs = self._needs_of(names)
        lines = []
        for path, needed in needs.items():
            target = tree / 'lib' / 'modules' / self.version / path.relative_to(self._modules_folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            lines.append(f'{self._indexed(path)}: {" ".join(map(self._indexed, needed))}\n')
        (tree / 'lib' / 'modules' / self.version / 'modules.dep').write_text(''.join(lines))

    def _needs_of(self, names: Iterable[str]) -> dict[Path, list[Path]]:
        """Each module file that has to be there, with the files that it needs, the nearest first."""
        needs: dict[Path, list[Path]] = {}
        waiting = [path for name in names for path in self._find(name)]
        while waiting:
            path = waiting.pop()
            if path not in needs:
                needs[path] = self._all_needed(path)
                waiting += needs[path]
        return needs

    def _all_needed(self, path: Path) -> list[Path]:
        """What a module needs, directly or not: a module always comes before those that it needs itself."""
        found: list[Path] = []
        for name in needed_names(path):
            for needed in self._find(name):
                later = [needed, *self._all_needed(needed)]
                found = [other for other in found if other not in later] + later
        return found

    def _find(self, name: str) -> list[Path]:
        """The file of a module; none if it is part of the kernel."""
        if name in self._files:
            return [self._files[name]]
        if name in self._built_in:
            return []
        raise BuildError(f'the kernel {self.version} has no module {name}')

    def _indexed(self, path: Path) -> str:
        return str(path.relative_to(self._modules_folder))


def module_name(path: Path) -> str:
    """The name by which a module is known: file names may have a dash where names have an underscore."""
    return path.name.removesuffix('.ko').replace('-', '_')


def needed_names(path: Path) -> list[str]:
    """The modules that a module file names as needed."""
    found = MODULE_NEEDS.search(path.read_bytes())
    return [name.replace('-', '_') for name in found.group(1).decode().split(',') if name] if found else []
