"""Which networks a server is connected to: the one of its host, or none."""

from typing import Any

from cloudplane.exceptions import BadRequest


def wanted(networks: str | list[dict[str, Any]] | None) -> str:
    """`auto` or `none`. BadRequest in words for a network, port or address of the client's choice."""
    if not networks:
        return 'auto'
    if isinstance(networks, str):
        return networks
    for place, network in enumerate(networks):
        for name in ('port', 'fixed_ip', 'uuid'):
            if network.get(name):
                raise BadRequest(
                    f'Invalid input at $.server.networks[{place}].{name}: there is one network, which has no id, and '
                    'addresses are given out by it. Leave networks out, or send "auto" or "none".'
                )
    if len(networks) > 1:
        raise BadRequest('Invalid input at $.server.networks: there is only one network to be connected to.')
    return 'auto'
