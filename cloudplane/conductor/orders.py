"""Turns operations into what others need to do them: a build spec for a scheduler, a work order for an agent."""

import msgspec

from cloudplane import states
from cloudplane.conductor.db import flavors
from cloudplane.conductor.db.operations import Active
from cloudplane.conductor.db.servers import Options
from cloudplane.conductor.vault import Vault
from cloudplane.objects.operation import BuildSpec, GuestSpec, WorkOrder


class Orders:
    """Makes orders; opens the secrets that they need."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def build_spec(self, operation: Active) -> BuildSpec:
        """What a scheduler needs to place a server."""
        return BuildSpec(
            operation_id=operation.id,
            server_id=operation.server_id,
            attempt=operation.attempt,
            project_id=operation.project_id,
            flavor=flavors.decode(operation.server.flavor_json),
            image_properties=operation.params.image_properties,
            availability_zone=operation.server.availability_zone,
            excluded_hosts=(*operation.excluded, *operation.params.refused),
            scheduler_hints=operation.params.scheduler_hints,
        )

    def work_order(self, operation: Active, *, host: str, attempt: int) -> WorkOrder:
        """What the agent of `host` needs, complete."""
        return WorkOrder(
            operation_id=operation.id,
            request_id=operation.request_id,
            server_id=operation.server_id,
            kind=operation.kind,
            sequence=operation.sequence,
            attempt=attempt,
            host=host,
            remaining_s=operation.remaining_s,
            guest=self._guest(operation) if operation.kind == states.BUILD else None,
            image_id=operation.params.image_id,
            image_name=operation.params.image_name,
            vm_state=operation.vm_state,
        )

    def _guest(self, operation: Active) -> GuestSpec:
        server, params = operation.server, operation.params
        options = msgspec.json.decode(server.options_json, type=Options)
        return GuestSpec(
            server_id=operation.server_id,
            project_id=server.project_id,
            user_id=server.user_id,
            name=server.name,
            hostname=server.hostname,
            flavor=flavors.decode(server.flavor_json),
            image_id=server.image_id,
            key_name=server.key_name,
            public_key=params.public_key,
            user_data=server.user_data,
            metadata=msgspec.json.decode(server.metadata_json, type=dict[str, str]),
            config_drive=options.config_drive,
            networks=params.networks,
            admin_pass=self._vault.open(params.admin_pass) if params.admin_pass else None,
            availability_zone=server.availability_zone or '',
            reservation_id=server.reservation_id,
            launch_index=server.launch_index,
        )
