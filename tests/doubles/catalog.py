"""The part of a double of the conductor that knows flavors, keypairs, services and hosts."""

from typing import Any, NoReturn

from cloudplane.context import RequestContext
from cloudplane.exceptions import FlavorExists, FlavorNotFound, KeypairExists, KeypairNotFound
from cloudplane.objects.flavor import Flavor
from cloudplane.objects.keypair import Keypair
from cloudplane.objects.service import HostDetail, Service
from cloudplane.rpcapi.conductor import ConductorAPI
from tests.doubles.clock import Clock


class FakeCatalog(ConductorAPI):
    """`error`: what every method raises from now on. `calls`: the names of the methods that were called."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.flavors: dict[str, Flavor] = {}
        self.keypairs: dict[tuple[str, str], Keypair] = {}
        self.hosts: list[HostDetail] = []
        self.services: list[Service] = []
        self.calls: list[str] = []
        self.error: Exception | None = None

    def _call(self, ctxt: RequestContext, method: str, *, server: str | None = None, **arguments: Any) -> NoReturn:
        raise AssertionError(f'this double does not answer {method}')

    def _note(self, method: str) -> None:
        self.calls.append(method)
        if self.error is not None:
            raise self.error

    def flavor_list(self, ctxt: RequestContext) -> tuple[Flavor, ...]:
        self._note('flavor_list')
        return tuple(sorted(self.flavors.values(), key=lambda flavor: (flavor.memory_mb, flavor.id)))

    def flavor_get(self, ctxt: RequestContext, flavor_id: str) -> Flavor:
        self._note('flavor_get')
        if flavor_id not in self.flavors:
            raise FlavorNotFound(f'Flavor {flavor_id} could not be found.')
        return self.flavors[flavor_id]

    def flavor_create(self, ctxt: RequestContext, flavor: Flavor) -> Flavor:
        self._note('flavor_create')
        if any(flavor.id == each.id or flavor.name == each.name for each in self.flavors.values()):
            raise FlavorExists(f'Flavor with ID {flavor.id} or name {flavor.name} already exists.')
        self.flavors[flavor.id] = flavor
        return flavor

    def flavor_delete(self, ctxt: RequestContext, flavor_id: str) -> None:
        self.flavor_get(ctxt, flavor_id)
        del self.flavors[flavor_id]

    def keypair_list(self, ctxt: RequestContext, user_id: str) -> tuple[Keypair, ...]:
        self._note('keypair_list')
        return tuple(keypair for (owner, _), keypair in sorted(self.keypairs.items()) if owner == user_id)

    def keypair_get(self, ctxt: RequestContext, user_id: str, name: str) -> Keypair:
        self._note('keypair_get')
        if (user_id, name) not in self.keypairs:
            raise KeypairNotFound(f'Keypair {name} not found for user {user_id}')
        return self.keypairs[user_id, name]

    def keypair_create(self, ctxt: RequestContext, keypair: Keypair) -> Keypair:
        self._note('keypair_create')
        key = keypair.user_id, keypair.name
        if key in self.keypairs:
            raise KeypairExists(f"Key pair '{keypair.name}' already exists.")
        self.keypairs[key] = keypair.evolve(created_at=self.clock.now())
        return self.keypairs[key]

    def keypair_delete(self, ctxt: RequestContext, user_id: str, name: str) -> None:
        self.keypair_get(ctxt, user_id, name)
        del self.keypairs[user_id, name]

    def service_list(self, ctxt: RequestContext) -> tuple[Service, ...]:
        self._note('service_list')
        return tuple(self.services)

    def host_list(self, ctxt: RequestContext) -> tuple[HostDetail, ...]:
        self._note('host_list')
        return tuple(self.hosts)
