"""cloudplane itself: its configuration, its database and first image, and the all-in-one in the background."""

import contextlib
import hashlib
import subprocess
import time
import uuid
from pathlib import Path

from checkout import environment
from checkout.programs import Failure, run, tail

from quickstart import processes
from quickstart.api import Api
from quickstart.place import STATE_ROOT, Note, Place

READY_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 30.0
IMAGE_NAME = 'guest'
_CONFIG = """\
# Written by tools/quickstart, and written again when it runs. All options: doc/reference/configuration.md

[DEFAULT]
host = {note.host}
state_path = {note.state_path}

[api]
listen = 127.0.0.1
port = {note.port}
# Everybody is believed: fit for a machine of one's own, and for its loopback address only.
auth_strategy = noauth

[libvirt]
network_name = {note.network_name}
network_bridge = {note.network_bridge}
network_cidr = {note.network_cidr}
"""


def is_running(note: Note) -> bool:
    """Whether the all-in-one of this quickstart lives."""
    return processes.lives(note.pid, note.started)


def prepare(place: Place, note: Note) -> None:
    """Write the configuration, make the state folder and the database."""
    for folder in (STATE_ROOT, note.state_path):
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o711)  # QEMU, which is another user, passes through and need not list
    place.config.write_text(_CONFIG.format(note=note))
    _manage(place, 'db', 'upgrade')


def import_image(place: Place, note: Note) -> None:
    """Give the image to the store, under an id that follows from its content: once is enough."""
    digest = hashlib.sha256(place.image.read_bytes()).hexdigest()
    image_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f'cloudplane:guest-image:{digest}'))
    if note.image_id == image_id:
        return
    _manage(place, 'image', 'create', IMAGE_NAME, '--file', str(place.image), '--id', image_id)
    note.image_id = image_id
    place.write(note)


def _manage(place: Place, *command: str) -> None:
    run([environment.program('cloudplane-manage'), '--config-file', place.config, *command], place.setup_log)


def start(place: Place, note: Note) -> None:
    """Start the all-in-one and wait until it answers and its host is ready for servers."""
    command = [str(environment.program('cloudplane-all-in-one')), '--config-file', str(place.config)]
    with place.log.open('ab') as log:
        begin = log.tell()
        # A session of its own: it goes on when the terminal is closed.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd='/', start_new_session=True
        )
    note.pid, note.started = process.pid, processes.birth(process.pid)
    place.write(note)
    deadline_s = time.monotonic() + READY_TIMEOUT_S
    while not _has_host(note):
        if process.poll() is not None:
            raise Failure(f'cloudplane-all-in-one ended with status {process.returncode}:\n{tail(place.log, begin)}')
        if time.monotonic() > deadline_s:
            raise Failure(
                f'cloudplane-all-in-one is not ready after {READY_TIMEOUT_S:.0f} s:\n{tail(place.log, begin)}\n'
                f'It still runs. All that it says: {place.log}'
            )
        time.sleep(0.05)


def _has_host(note: Note) -> bool:
    try:
        hosts = Api(note.url).get('/os-hypervisors/detail')['hypervisors']
    except Failure:
        return False
    return any(host['state'] == 'up' for host in hosts)


def stop(note: Note) -> None:
    """End the all-in-one, and whatever it has started and left behind."""
    processes.end(note.pid, note.started, what='cloudplane-all-in-one', timeout_s=STOP_TIMEOUT_S)
    for pid in _children_left(note):
        processes.end(pid, processes.birth(pid), what='a program that cloudplane had started', timeout_s=2)


def _children_left(note: Note) -> list[int]:
    """Processes whose command line names our state folder: a qemu-img that copies, for example."""
    found = []
    for folder in Path('/proc').iterdir():
        with contextlib.suppress(OSError):  # it has ended, or is no process
            words = (folder / 'cmdline').read_bytes().decode(errors='replace').split('\0')
            if Path(words[0]).name == 'qemu-img' and any(str(note.state_path) in word for word in words):
                found.append(int(folder.name))
    return found
