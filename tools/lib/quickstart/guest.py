"""The first server: a flavor and a key for it, the server itself, and its console."""

import re
import subprocess
import time
from typing import Any

from checkout.programs import Failure

from quickstart.api import Api, NotFound
from quickstart.place import Note, Place

FLAVOR = {'id': 'tiny', 'name': 'tiny', 'vcpus': 1, 'ram': 256, 'disk': 1}
KEY_NAME = 'quickstart'
SERVER_NAME = 'first'
SETTLE_TIMEOUT_S = 300.0
CONSOLE_TIMEOUT_S = 300.0
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
        """See that it is ACTIVE and ready; what had to be done, in words."""
        server = self._settled()
        if server is not None and server['status'] == 'ACTIVE' and _READY.search(self.console()):
            return 'runs already'
        if server is not None and server['status'] not in ('ACTIVE', 'SHUTOFF'):
            self._api.delete(self._path)
            server = None
        if server is None:
            return self._boot()
        if server['status'] == 'SHUTOFF':
            return self._start()
        self._wait_until_ready('')
        return 'was on its way'

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

    def _boot(self) -> str:
        document = {
            'name': SERVER_NAME,
            'flavorRef': FLAVOR['id'],
            'imageRef': self._note.image_id,
            'key_name': KEY_NAME,
            'config_drive': True,
        }
        self._note.server_id = self._api.post('/servers', {'server': document})['server']['id']
        self._place.write(self._note)
        self._wait_until_active()
        self._wait_until_ready('')
        return 'booted'

    def _start(self) -> str:
        before = self.console()
        self._api.post(f'{self._path}/action', {'os-start': None})
        self._wait_until_active()
        self._wait_until_ready(before)
        return 'was off: started again'

    def _settled(self) -> dict[str, Any] | None:
        """The server, once nothing is done to it any more; None if it is gone."""
        deadline_s = time.monotonic() + SETTLE_TIMEOUT_S
        while self._note.server_id:
            try:
                server: dict[str, Any] = self._api.get(self._path)['server']
            except NotFound:
                return None
            if server.get('OS-EXT-STS:task_state') is None:
                return server
            if time.monotonic() > deadline_s:
                raise Failure(f'The server is busy ({server["OS-EXT-STS:task_state"]}) and does not come to rest')
            time.sleep(0.05)
        return None

    def _wait_until_active(self) -> None:
        server = self._settled()
        if server is None or server['status'] != 'ACTIVE':
            fault = (server or {}).get('fault', {}).get('message', 'it was deleted')
            raise Failure(f'The server did not become ACTIVE: {fault}\nMore: {self._place.log}')

    def _wait_until_ready(self, before: str) -> None:
        """Wait until the guest says so, on what the console shows beyond `before`."""
        deadline_s = time.monotonic() + CONSOLE_TIMEOUT_S
        while True:
            text = self.console()
            if _READY.search(text.removeprefix(before)):
                return
            if time.monotonic() > deadline_s:
                end = '\n'.join(text.splitlines()[-25:])
                raise Failure(f'The guest is not ready after {CONSOLE_TIMEOUT_S:.0f} s. The end of its console:\n{end}')
            time.sleep(0.1)


def _quoted(path: object) -> str:
    """A path as ssh_config wants it."""
    return '"' + str(path).replace('%', '%%') + '"'
