"""Flavors: the sizes that servers come in."""

from cloudplane.objects.base import Record


class Flavor(Record, frozen=True, kw_only=True):
    """A size. A server keeps a copy of the one that it was made with."""

    id: str  # what clients see as id; any string
    name: str
    vcpus: int
    memory_mb: int
    root_gb: int
    ephemeral_gb: int = 0
    swap_mb: int = 0
    rxtx_factor: float = 1.0
    is_public: bool = True
    disabled: bool = False
    description: str | None = None
    extra_specs: dict[str, str] = {}

    @property
    def disk_gb(self) -> int:
        """What a server of this flavor takes of its host's disk, in GiB (swap rounded up)."""
        return self.root_gb + self.ephemeral_gb + -(-self.swap_mb // 1024)
