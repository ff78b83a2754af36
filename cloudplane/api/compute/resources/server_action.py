"""POST /servers/{id}/action, but createImage (server_snapshot.py)."""

from cloudplane import states
from cloudplane.api.compute.call import Answer, Call
from cloudplane.api.compute.resources import server
from cloudplane.exceptions import Conflict


def start(call: Call, server_id: str) -> Answer:
    """Power on."""
    server.accept(call, server_id, states.START)
    return Answer()


def stop(call: Call, server_id: str) -> Answer:
    """Power off."""
    server.accept(call, server_id, states.STOP)
    return Answer()


def reboot(call: Call, server_id: str) -> Answer:
    """Reboot, by asking the guest or by force."""
    is_hard = call.body['reboot']['type'].upper() == 'HARD'
    server.accept(call, server_id, states.HARD_REBOOT if is_hard else states.SOFT_REBOOT)
    return Answer()


def console_output(call: Call, server_id: str) -> Answer:
    """The last lines of the console; all that is kept without a length, or with -1."""
    shown = server.find(call, server_id)
    if shown.host is None:
        raise Conflict(f'Instance {server_id} is not ready: it is not on a host yet.')
    asked = call.body['os-getConsoleOutput'].get('length')
    lines = None if asked is None or int(asked) < 0 else int(asked)
    output = call.services.compute.console_log(call.context, shown.host, server_id, lines)
    return Answer({'output': output})
