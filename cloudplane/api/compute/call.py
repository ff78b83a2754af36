"""What a handler is given, and what it gives back."""

from dataclasses import dataclass
from typing import Any

from cloudplane.api.compute.links import Links
from cloudplane.api.compute.microversions import Version
from cloudplane.api.compute.query import Query
from cloudplane.api.compute.zones import ZoneDirectory
from cloudplane.api.wakeups import WakeUps
from cloudplane.context import RequestContext
from cloudplane.images.store import ImageStore
from cloudplane.objects.operation import Idempotency
from cloudplane.rpcapi.compute import ComputeAPI
from cloudplane.rpcapi.conductor import ConductorAPI


@dataclass(frozen=True, slots=True)
class Services:
    """What handlers may talk to. Wake-ups go through `wakeups`, never through a client."""

    conductor: ConductorAPI
    compute: ComputeAPI
    images: ImageStore
    wakeups: WakeUps
    zones: ZoneDirectory
    max_limit: int


@dataclass(frozen=True, slots=True)
class Call:
    """One request, authenticated, allowed and validated."""

    context: RequestContext
    version: Version
    services: Services
    body: dict[str, Any]  # {} where the route takes none
    query: Query
    links: Links
    idempotency: Idempotency | None

    @property
    def scope(self) -> str | None:
        """The project whose servers may be touched; None: any, for an administrator."""
        return None if self.context.is_admin else self.context.project_id

    @property
    def project_id(self) -> str:
        """The caller's project."""
        return self.context.project_id or ''

    @property
    def user_id(self) -> str:
        """The caller."""
        return self.context.user_id or ''


@dataclass(frozen=True, slots=True)
class Answer:
    """A success; the route says with which code. `body` None: none."""

    body: dict[str, Any] | None = None
    headers: tuple[tuple[str, str], ...] = ()
