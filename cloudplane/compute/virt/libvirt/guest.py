"""One guest as libvirt's domain: what it is, its marks, and its power. Files, addresses and snapshots are elsewhere.

The methods run in ordinary threads; each makes one call of the connection, whose function looks before it acts.
"""

import logging
import secrets
from collections.abc import Callable
from typing import Any, Final, TypeVar

import libvirt
import msgspec

from cloudplane import states
from cloudplane.compute.virt.driver import GuestInfo, Token
from cloudplane.compute.virt.libvirt import marks
from cloudplane.compute.virt.libvirt.connection import Connection
from cloudplane.compute.virt.libvirt.marks import Marks
from cloudplane.exceptions import GuestError, GuestNotFound

LOG = logging.getLogger(__name__)

T = TypeVar('T')

POWER_STATES: Final = {
    libvirt.VIR_DOMAIN_NOSTATE: states.NOSTATE,
    libvirt.VIR_DOMAIN_RUNNING: states.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: states.RUNNING,
    libvirt.VIR_DOMAIN_PAUSED: states.POWER_PAUSED,
    libvirt.VIR_DOMAIN_SHUTDOWN: states.RUNNING,  # on its way down, and not there yet
    libvirt.VIR_DOMAIN_SHUTOFF: states.SHUTDOWN,
    libvirt.VIR_DOMAIN_CRASHED: states.CRASHED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: states.POWER_SUSPENDED,
}
_UNDEFINE: Final = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
)


def new_run() -> str:
    """A text that no other start of a guest has."""
    return secrets.token_hex(4)


def info_of(domain: Any, found: Marks) -> GuestInfo:
    """What a domain of ours shows. In a native thread."""
    state, _reason = domain.state()
    return GuestInfo(
        server_id=found.server_id,
        sequence=found.sequence,
        operation_id=found.operation_id,
        attempt=found.attempt,
        power_state=POWER_STATES.get(state, states.NOSTATE),
        run_id=f'{domain.ID()}-{found.run}' if domain.ID() >= 0 else None,
        committed=found.committed,
    )


def all_guests(connection: Connection, host: str) -> list[GuestInfo]:
    """All guests of this host."""

    def look(libvirtd: Any) -> list[GuestInfo]:
        found = []
        for domain in libvirtd.listAllDomains():
            try:
                its = marks.read(domain)
                if its is not None and its.host == host:
                    found.append(info_of(domain, its))
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:  # it went away while we looked
                    raise
        return found

    return connection.call('list the guests', look)


class Guest:
    """One guest of this host; whether it exists is another question."""

    def __init__(self, connection: Connection, host: str, server_id: str) -> None:
        self._connection, self._host, self._server_id = connection, host, server_id

    def info(self) -> GuestInfo | None:
        """What the host shows, or None."""

        def look(libvirtd: Any) -> GuestInfo | None:
            domain = _find(libvirtd, self._server_id)
            found = marks.read(domain) if domain is not None else None
            return info_of(domain, found) if found is not None and found.host == self._host else None

        return self._call('look at', look)

    def start_paused(self, make_xml: Callable[[Marks], str], token: Token) -> None:
        """Define it and start it paused; one of the same build that is paused or running is adopted."""

        def start(libvirtd: Any) -> None:
            domain = _find(libvirtd, self._server_id)
            if domain is not None:
                found = self._ours(domain)
                if found.sequence > token.sequence:
                    raise GuestError(f'The guest {self._server_id} was made by a newer build ({found.sequence})')
                if found.same_build(token) and domain.isActive():
                    adopted = msgspec.structs.replace(found, operation_id=token.operation_id, attempt=token.attempt)
                    if adopted != found:
                        marks.write(domain, adopted)
                    return
                _cut_power(domain)
            libvirtd.defineXML(make_xml(self._new_marks(token))).createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)

        self._call('start', start)

    def _new_marks(self, token: Token) -> Marks:
        return Marks(
            server_id=self._server_id,
            host=self._host,
            sequence=token.sequence,
            operation_id=token.operation_id,
            attempt=token.attempt,
            run=new_run(),
        )

    def power_on(self) -> None:
        """Let it run: start it, or resume it, or nothing. It is marked committed before it executes anything."""

        def run(domain: Any, found: Marks) -> None:
            state, _reason = domain.state()
            if domain.isActive():
                if not found.committed:
                    marks.write(domain, msgspec.structs.replace(found, committed=True))
                if state == libvirt.VIR_DOMAIN_PAUSED:
                    domain.resume()
            else:
                marks.write(domain, msgspec.structs.replace(found, committed=True, run=new_run()))
                domain.create()

        self._with_domain('run', run)

    def press_power_button(self) -> None:
        """Ask the guest to turn itself off; it may not listen."""
        self._with_domain('ask for the end of', _if_active(lambda domain: domain.shutdownFlags(_BUTTON_OFF)))

    def ask_for_reboot(self) -> None:
        """Ask the guest to reboot; it may not listen."""
        self._with_domain('ask for a reboot of', _if_active(lambda domain: domain.reboot(_BUTTON_REBOOT)))

    def cut_power(self) -> None:
        """Off, at once."""
        self._with_domain('turn off', lambda domain, _found: _cut_power(domain))

    def restart(self, make_xml: Callable[[Marks], str] | None, absent: Marks | None) -> None:
        """Cut the power and start anew, defined afresh by `make_xml`; `absent` are the marks of one that is gone."""

        def start(libvirtd: Any) -> None:
            domain = _find(libvirtd, self._server_id)
            if domain is not None:
                found = self._ours(domain)
                _cut_power(domain)
            elif absent is not None and make_xml is not None:
                found = absent
            else:
                raise GuestNotFound(f'The guest {self._server_id} is not on this host')
            found = msgspec.structs.replace(found, committed=True, run=new_run())
            if make_xml is not None:
                domain = libvirtd.defineXML(make_xml(found))
            else:
                marks.write(domain, found)
            domain.create()

        self._call('restart', start)

    def remove(self) -> None:
        """Turn it off and forget its definition. Not there, or another agent's: nothing."""

        def undefine(libvirtd: Any) -> None:
            domain = _find(libvirtd, self._server_id)
            found = marks.read(domain) if domain is not None else None
            if domain is None or (found is not None and found.host != self._host):
                return
            self._ours(domain)
            _cut_power(domain)
            try:
                domain.undefineFlags(_UNDEFINE)
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:  # one without a definition goes with its power
                    raise

        self._call('remove', undefine)

    def call(self, what: str, function: Callable[[Any], T]) -> T:
        """What `function(domain)` returns; GuestNotFound if there is none of ours."""
        return self._with_domain(what, lambda domain, _found: function(domain))

    def _with_domain(self, what: str, function: Callable[[Any, Marks], T]) -> T:
        def act(libvirtd: Any) -> T:
            domain = _find(libvirtd, self._server_id)
            if domain is None:
                raise GuestNotFound(f'The guest {self._server_id} is not on this host')
            return function(domain, self._ours(domain))

        return self._call(what, act)

    def _call(self, what: str, function: Callable[[Any], T]) -> T:
        return self._connection.call(f'{what} the guest {self._server_id}', function)

    def _ours(self, domain: Any) -> Marks:
        found = marks.read(domain)
        if found is None or found.host != self._host:
            owner = 'has no marks of cloudplane' if found is None else f'belongs to the agent of {found.host}'
            raise GuestError(f'The domain {domain.name()} {owner}: it is left alone')
        return found


_BUTTON_OFF: Final = libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN
_BUTTON_REBOOT: Final = libvirt.VIR_DOMAIN_REBOOT_ACPI_POWER_BTN


def _find(libvirtd: Any, server_id: str) -> Any:
    """The domain of a server, or None. In a native thread."""
    try:
        return libvirtd.lookupByUUIDString(server_id)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise


def _cut_power(domain: Any) -> None:
    """In a native thread. It may end by itself at the same moment."""
    if domain.isActive():
        try:
            domain.destroy()
        except libvirt.libvirtError:
            if domain.isActive():
                raise


def _if_active(function: Callable[[Any], object]) -> Callable[[Any, Marks], None]:
    def act(domain: Any, _found: Marks) -> None:
        if domain.isActive():
            function(domain)

    return act
