"""Which availability zones there are."""

from cloudplane.context import RequestContext
from cloudplane.rpcapi.conductor import ConductorAPI


class ZoneDirectory:
    """Remembers zones that were seen, so that a create in a known zone costs no question.

    A zone that is not known is asked for each time. One that has gone is remembered: the scheduler then says that no
    host is left in it.
    """

    def __init__(self, conductor: ConductorAPI) -> None:
        self._conductor = conductor
        self._known: frozenset[str] = frozenset()

    def has(self, ctxt: RequestContext, zone: str) -> bool:
        """Whether some host is, or was, in this zone."""
        if zone not in self._known:
            self._known |= {host.zone for host in self._conductor.host_list(ctxt)}
        return zone in self._known
