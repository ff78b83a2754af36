"""The command line of tools/quickstart, and its steps in order."""

import contextlib
import os
import re
import shlex
import shutil
import sys
import time
import urllib.request
from collections.abc import Sequence

from checkout import CHECKOUT, debian, environment
from checkout.locks import locked
from checkout.programs import Failure, run
from checkout.progress import Progress

from quickstart import guest, libvirt, machine, service
from quickstart.api import Api
from quickstart.place import STATE_ROOT, Note, Place

CONSOLE_LINES = 15
_TERMINAL_CODE = re.compile(r'\x1b\[[0-9;?]*[A-Za-z]')


def main(arguments: Sequence[str]) -> int:
    """`start` or `stop`. Returns the exit status."""
    os.umask(0o022)
    place = Place()
    try:
        with locked(CHECKOUT):
            if arguments == ['stop']:
                stop(place)
            else:
                start(place)
    except Failure as error:
        print(f'\ntools/quickstart: {error}', file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1  # nobody reads on
    except KeyboardInterrupt:
        print('\nInterrupted. Run it again to go on, or with --stop to remove what was made.', file=sys.stderr)
        return 130
    return 0


def start(place: Place) -> None:
    """From whatever there is to a server that runs."""
    begin_s = time.monotonic()
    note = place.make()
    progress = Progress(8)
    with progress.step('Debian packages') as step:
        installed = debian.install([*debian.BUILD, *debian.HYPERVISOR], place.setup_log)
        step.result = f'installed {" ".join(installed)}' if installed else 'all there'
    with progress.step('Python environment') as step:
        step.result = 'made' if environment.prepare([], place.setup_log) else 'up to date'
    with progress.step("libvirt's daemons") as step:
        machine.join(note)
        started = libvirt.start(place.setup_log)
        step.result = f'started {" and ".join(started)}' if started else 'run already'
    with progress.step('Guest image') as step:
        builder = CHECKOUT / 'tools' / 'build-guest-image'
        run([sys.executable, builder, '--install-packages', '--output', place.image], place.setup_log)
        step.result = f'{place.image.stat().st_size / 1e6:.0f} MB'
    running = service.is_running(note)
    with progress.step('Configuration, database, image store') as step:
        machine.choose(note, keep_port=running)
        place.write(note)
        if not running:
            service.prepare(place, note)
        service.import_image(place, note)
        step.result = str(note.state_path)
    with progress.step('cloudplane') as step:
        if not running:
            service.start(place, note)
        step.result = f'{"runs already" if running else "started"}: {note.url}'
    _show_server(place, note, progress)
    print(f'\nAll of it took {time.monotonic() - begin_s:.1f} s.')


def _show_server(place: Place, note: Note, progress: Progress) -> None:
    api = Api(note.url)
    with progress.step('Flavor and key') as step:
        guest.make_flavor(api)
        guest.make_key(api, place)
        step.result = f'{guest.FLAVOR["name"]}, {guest.KEY_NAME}'
    shown = guest.Guest(api, place, note)
    with progress.step(f'Server "{guest.SERVER_NAME}"') as step:
        done = shown.bring_up()
        shown.trust()
        step.result = f'{done}, ACTIVE at {shown.address()}'
    lines = shown.console().rstrip().splitlines()[-CONSOLE_LINES:]
    print(f'\nThe end of its console (the guest runs on this machine, at {shown.address()}):\n')
    print('\n'.join(f'    | {_printable(line)}' for line in lines))
    print(_how_to_go_on(place, note))


def _printable(line: str) -> str:
    """A guest may say anything, to the terminal as well."""
    return ''.join(char if char.isprintable() else ' ' for char in _TERMINAL_CODE.sub('', line))


def _how_to_go_on(place: Place, note: Note) -> str:
    """Lines that work as they are printed, from any folder."""
    curl = 'curl -s --noproxy 127.0.0.1' if urllib.request.getproxies() else 'curl -s'
    server = f'{note.url}/servers/{note.server_id}'
    post = f"-H 'Content-Type: application/json' {server}/action"
    return f"""
How to go on
  log in             ssh -F {shlex.quote(str(place.ssh_config))} {guest.SERVER_NAME}
  list servers       {curl} {note.url}/servers/detail
  show this one      {curl} {server}
  its console        {curl} {post} -d '{{"os-getConsoleOutput": {{"length": 20}}}}'
  reboot it          {curl} {post} -d '{{"reboot": {{"type": "SOFT"}}}}'
  delete it          {curl} -X DELETE {server}
  look at its host   {shlex.quote(str(environment.program('cloudplane-manage')))} --config-file \
{shlex.quote(str(place.config))} host list
  what it logs       {place.log}
  remove everything  {shlex.quote(str(CHECKOUT / 'tools' / 'quickstart'))} --stop"""


def stop(place: Place) -> None:
    """Remove all that `start` has made."""
    note = place.read()
    if note is None:
        print('Nothing to stop: tools/quickstart has not run in this checkout.')
        return
    progress = Progress(4)
    with progress.step('cloudplane') as step:
        running = service.is_running(note)
        service.stop(note)
        step.result = 'stopped' if running else 'did not run'
    with progress.step('Guests and their network') as step:
        step.result = _remove_guests(place, note)
    with progress.step("libvirt's daemons") as step:
        step.result = libvirt.stop_if_last(note)
    with progress.step('Files') as step:
        if note.state_path.exists():
            shutil.rmtree(note.state_path)
        with contextlib.suppress(OSError):  # there is more in it, or it is not there
            STATE_ROOT.rmdir()
        shutil.rmtree(place.folder)
        step.result = f'removed {note.state_path} and {place.folder}'
    print(f'\nWhat stays: Debian packages, {environment.FOLDER}, and the guest image in ~/.cache/cloudplane.')


def _remove_guests(place: Place, note: Note) -> str:
    if not note.network_cidr:
        return 'there were none'  # it did not come that far
    libvirt.start(place.setup_log)  # after a reboot of the machine its guests are still defined
    removed = libvirt.remove_guests(note)
    libvirt.remove_network(note)
    return f'removed {removed}'
