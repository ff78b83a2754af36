"""Debian packages of this machine: install those that are missing, and nothing else."""

import os
from collections.abc import Sequence
from pathlib import Path

from checkout.programs import Failure, answer, run

APT_GET = ('apt-get', '--quiet', '--yes', '-o', 'DPkg::Lock::Timeout=300')
ENVIRONMENT = {'DEBIAN_FRONTEND': 'noninteractive', 'LC_ALL': 'C'}

# For the virtual environment: libvirt-python is compiled against libvirt's headers.
BUILD = ('gcc', 'libc6-dev', 'libvirt-dev', 'pkg-config', 'python3-dev')
# For guests: libvirt with QEMU, its NAT network (dnsmasq, iptables), and what talks to both.
HYPERVISOR = (
    'curl',
    'dnsmasq-base',
    'iproute2',
    'iptables',
    'libvirt-clients',
    'libvirt-daemon',
    'libvirt-daemon-driver-qemu',
    'libvirt-daemon-system',
    'openssh-client',
    'qemu-system-x86',
    'qemu-utils',
)


def missing(packages: Sequence[str]) -> list[str]:
    """Those of the packages that are not installed."""
    printed = answer(['dpkg-query', '--show', '--showformat=${Package} ${db:Status-Status}\n', '*']) or ''
    installed = {line.split()[0] for line in printed.splitlines() if line.endswith(' installed')}
    return [package for package in packages if package not in installed]


def install(packages: Sequence[str], log: Path) -> list[str]:
    """See that packages are installed; returns those that were not."""
    wanted = missing(packages)
    if not wanted:
        return []
    by_hand = f'apt-get install {" ".join(wanted)}'
    if os.geteuid() != 0:
        raise Failure(f'These Debian packages are missing. As root: {by_hand}')
    command = [*APT_GET, 'install', '--no-install-recommends', *wanted]
    try:
        run(command, log, environment=ENVIRONMENT)
    except Failure:
        # apt's lists are absent, or older than what the mirror has. A repository that fails need not be one we use.
        _update_lists(log)
        run(command, log, environment=ENVIRONMENT)
    left = missing(wanted)
    if left:
        raise Failure(f'apt-get did not install {" ".join(left)}. Try: {by_hand}')
    return wanted


def _update_lists(log: Path) -> None:
    try:
        run([*APT_GET, 'update'], log, environment=ENVIRONMENT)
    except Failure as error:
        with log.open('a') as opened:
            opened.write(f'Going on without: {error}\n')
