"""The first server: a flavor and a key for it, the server itself, and its console."""

import re
import socket
import subprocess
import time
from typing import Any

from checkout.programs import Failure

from quickstart.api import Api, Conflict, NotFound
from quickstart.place import Note, Place

FLAVOR = {'id': 'tiny', 'name': 'tiny', 'vcpus': 1, 'ram': 256, 'disk': 1}
KEY_NAME = 'quickstart'
SERVER_NAME = 'first'
SSH_PORT = 22
READY_TIMEOUT_S = 300.0
# An emulated CPU boots the guest in 3 to 10 s; one that runs answers at once.
BOOT_PATIENCE_S = 60.0
ANSWER_PATIENCE_S = 5.0
_USABLE = ('ACTIVE', 'SHUTOFF')
_READY = re.compile(r'^cloudplane guest ready: (\S+) ([\d.]+)\r?$', re.MULTILINE)
_HOST_KEY = re.compile(r'^cloudplane guest: ssh host key (\S+ \S+)\r?$', re.MULTILINE)


def make_flavor(api: Api) -> None:
    """The flavor of the first server."""
    try:
        api.get(f'/flavors/{FLAVOR["id"]}')
    except NotFound:
        api.post('/flavors', {'flavor': FLAVOR})


def make_key(api: Api, place: Place) -> None:
    """A key pair in .quickstart, whose public half the API knows."""
    if not place.key.exists():
        command = ['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'cloudplane quickstart', '-f', str(place.key)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    public = place.key.with_suffix('.pub').read_text().strip()
    try:
        if api.get(f'/os-keypairs/{KEY_NAME}')['keypair']['public_key'].strip() == public:
            return
        api.delete(f'/os-keypairs/{KEY_NAME}')
    except NotFound:
        pass
    api.post('/os-keypairs', {'keypair': {'name': KEY_NAME, 'public_key': public}})


class Guest:
    """The server that this quickstart shows."""

    def __init__(self, api: Api, place: Place, note: Note) -> None:
        self._api, self._place, self._note = api, place, note

    def bring_up(self) -> str:
        """See that it is ACTIVE and answers; what had to be done, in words."""
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        done: list[str] = []
        patience_s = ANSWER_PATIENCE_S
        while time.monotonic() < deadline_s:
            server = self._settled()
            if server is None or server['status'] not in _USABLE:
                if server is not None and 'booted' in done:
                    raise Failure(f'The server did not become ACTIVE: {_fault(server)}\nMore: {self._place.log}')
                done.append(self._boot(server))
            elif server['status'] == 'SHUTOFF':
                done.append(self._act('os-start', None, 'was off: started again'))
            elif self._answers(patience_s):
                return ', '.join(done) or 'runs already'
            elif not done:
                # It is ACTIVE in the database, which may not yet know better, or the guest hangs.
                done.append(self._act('reboot', {'type': 'HARD'}, 'did not answer: rebooted'))
            patience_s = BOOT_PATIENCE_S if done else ANSWER_PATIENCE_S
        end = '\n'.join(self.console().splitlines()[-25:])
        raise Failure(f'The server does not answer after {READY_TIMEOUT_S:.0f} s. The end of its console:\n{end}')

    def address(self) -> str:
        """The address that the console names; the API knows the same."""
        addresses = self._api.get(self._path)['server']['addresses']
        found = [entry['addr'] for entries in addresses.values() for entry in entries]
        if not found:
            raise Failure('The server has no address')
        return str(found[0])

    def console(self) -> str:
        """All that it has said on its console."""
        text = self._api.post(f'{self._path}/action', {'os-getConsoleOutput': {}})['output']
        return str(text).replace('\r\n', '\n')

    def trust(self) -> None:
        """Note the ssh host key that the guest said it has, and how ssh finds all that it needs."""
        keys = _HOST_KEY.findall(self.console())
        address = self.address()
        if keys:
            self._place.known_hosts.write_text(f'{address} {keys[-1]}\n')
        checking = 'yes' if keys else 'accept-new'
        self._place.ssh_config.write_text(
            f'Host {SERVER_NAME}\n'
            f'    HostName {address}\n'
            '    User root\n'
            f'    IdentityFile {_quoted(self._place.key)}\n'
            '    IdentitiesOnly yes\n'
            f'    UserKnownHostsFile {_quoted(self._place.known_hosts)}\n'
            f'    StrictHostKeyChecking {checking}\n'
        )

    @property
    def _path(self) -> str:
        return f'/servers/{self._note.server_id}'

    def _boot(self, old: dict[str, Any] | None) -> str:
        if old is not None:
            self._api.delete(self._path)
        document = {
            'name': SERVER_NAME,
            'flavorRef': FLAVOR['id'],
            'imageRef': self._note.image_id,
            'key_name': KEY_NAME,
            'config_drive': True,
        }
        self._note.server_id = self._api.post('/servers', {'server': document})['server']['id']
        self._place.write(self._note)
        return 'booted'

    def _act(self, name: str, details: dict[str, str] | None, done: str) -> str:
        try:
            self._api.post(f'{self._path}/action', {name: details})
        except Conflict:
            return 'changed meanwhile'  # the agent was faster: look again
        return done

    def _settled(self) -> dict[str, Any] | None:
        """The server, once nothing is done to it any more; None if it is gone."""
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        while self._note.server_id:
            try:
                server: dict[str, Any] = self._api.get(self._path)['server']
            except NotFound:
                return None
            # A build that has a host and has not begun there has no task, as in Nova.
            if server['OS-EXT-STS:task_state'] is None and server['status'] != 'BUILD':
                return server
            if time.monotonic() > deadline_s:
                raise Failure(f'The server is busy ({server["OS-EXT-STS:task_state"]}) and does not come to rest')
            time.sleep(0.05)
        return None

    def _answers(self, patience_s: float) -> bool:
        """Whether the guest has said that it is ready, and ssh answers, within that time."""
        deadline_s = time.monotonic() + patience_s
        while time.monotonic() < deadline_s:
            if _READY.search(self.console()) and _listens(self.address()):
                return True
            time.sleep(0.1)
        return False


def _listens(address: str) -> bool:
    try:
        with socket.create_connection((address, SSH_PORT), timeout=1):
            return True
    except OSError:
        return False


def _fault(server: dict[str, Any]) -> str:
    return str(server.get('fault', {}).get('message', f'it is {server["status"]}'))


def _quoted(path: object) -> str:
    """A path as ssh_config wants it."""
    return '"' + str(path).replace('%', '%%') + '"'
