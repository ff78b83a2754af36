"""What a fake host has, and how it is to behave."""

from typing import Any

import msgspec

from cloudplane.exceptions import ConfigurationError


class FakeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a fake host has, and where it keeps it. Memory in MiB, disk in GiB."""

    vcpus: int = 64
    memory_mb: int = 262144
    disk_gb: int = 10000
    path: str = ''  # empty: fake-guests in the state path
    log: str = ''  # empty: fake-guests.log in the state path
    delays: dict[str, float] = {}  # seconds, by method
    failures: dict[str, int] = {}  # how often, by method; -1: always
    ignores_soft_reboot: bool = False


def settings_from(fake: Any) -> FakeSettings:
    """The settings from the [fake] group of the configuration."""
    try:
        delays = {method: float(seconds) for method, seconds in fake.delays.items()}
        failures = {method: int(times) for method, times in fake.failures.items()}
    except ValueError as error:
        raise ConfigurationError(f'[fake] delays and failures hold METHOD:NUMBER: {error}') from error
    return FakeSettings(
        vcpus=fake.vcpus,
        memory_mb=fake.memory_mb,
        disk_gb=fake.disk_gb,
        path=fake.path,
        log=fake.log,
        delays=delays,
        failures=failures,
    )
