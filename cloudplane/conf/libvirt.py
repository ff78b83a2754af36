"""[libvirt]."""

from typing import Any

GROUP = 'libvirt'
OPTS: list[Any] = []
