"""Asking a guest to turn itself off or to reboot, and waiting for it: by libvirt's events, with a look now and then.

The look is there because events are lost while libvirtd is restarted.
"""

import time
from collections.abc import Callable
from typing import Final

from cloudplane import states
from cloudplane.compute.virt.driver import Progress
from cloudplane.compute.virt.libvirt import events
from cloudplane.compute.virt.libvirt.events import Events, Watch
from cloudplane.compute.virt.libvirt.guest import Guest
from cloudplane.exceptions import Cancelled

_ASK_AGAIN_S: Final = 5.0  # a guest that still boots does not see the first press of the button
_LOOK_S: Final = 2.0
_NOTICE_S: Final = 0.1  # how soon a cancellation is seen


def turn_off(guest: Guest, server_id: str, all_events: Events, graceful_s: float, progress: Progress) -> None:
    """Press the power button, wait `graceful_s` at most, then cut the power."""
    with all_events.watch(server_id) as watch:
        info = guest.info()
        if info is None or info.run_id is None:
            return
        # One that is paused cannot listen.
        if graceful_s > 0 and info.power_state == states.RUNNING:
            waiting = _Waiting(watch, graceful_s, progress)
            if waiting.until(lambda: _is_off(guest), ask=guest.press_power_button, look_on=events.POWER):
                return
        guest.cut_power()


def reboot(guest: Guest, server_id: str, all_events: Events, timeout_s: float, progress: Progress) -> bool:
    """Ask the guest to reboot; False if it did not within `timeout_s`, or cannot because it does not run."""
    with all_events.watch(server_id) as watch:
        info = guest.info()
        if info is None or info.power_state != states.RUNNING:
            return False
        waiting = _Waiting(watch, timeout_s, progress)
        return waiting.until(lambda: watch.saw(events.REBOOTED), ask=guest.ask_for_reboot, look_on=events.REBOOTED)


def _is_off(guest: Guest) -> bool:
    info = guest.info()
    return info is None or info.run_id is None


class _Waiting:
    """Waits for something to become true."""

    def __init__(self, watch: Watch, timeout_s: float, progress: Progress) -> None:
        self._watch, self._progress = watch, progress
        self._end_s = time.monotonic() + timeout_s

    def until(self, is_true: Callable[[], bool], *, ask: Callable[[], None], look_on: str) -> bool:
        """Ask again and again, and look at each event of the kind `look_on` and every few seconds."""
        ask_at_s = look_at_s = 0.0
        while (now_s := time.monotonic()) < self._end_s:
            if self._progress.cancelled.is_set():
                raise Cancelled
            if now_s >= ask_at_s:
                ask()
                ask_at_s, look_at_s = now_s + _ASK_AGAIN_S, now_s + _LOOK_S
            if self._watch.wait(min(_NOTICE_S, self._end_s - now_s)) or now_s >= look_at_s:
                look_at_s = now_s + _LOOK_S
                if is_true():
                    return True
        return is_true()
