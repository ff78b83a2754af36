"""Guests to try things on, and errors as libvirt raises them."""

import uuid
from typing import Any

import libvirt

from cloudplane.compute.virt.driver import Token
from cloudplane.objects.flavor import Flavor
from cloudplane.objects.operation import GuestSpec

SERVER_ID = '3f0c1a52-7f43-4b0a-9a3f-0a3d7c9f5a11'


def flavor(**changes: Any) -> Flavor:
    """A small flavor."""
    return Flavor(id='1', name='small', vcpus=1, memory_mb=128, root_gb=1).evolve(**changes)


def guest_spec(**changes: Any) -> GuestSpec:
    """A guest; the fields given differ."""
    return GuestSpec(
        server_id=SERVER_ID,
        project_id='project',
        user_id='user',
        name='web 1',
        hostname='web-1',
        flavor=flavor(),
        image_id=None,
    ).evolve(**changes)


def token(sequence: int = 1, attempt: int = 1) -> Token:
    """Work of its own operation."""
    return Token(operation_id=str(uuid.uuid4()), sequence=sequence, attempt=attempt)


def libvirt_error(code: int, text: str = 'it did not work') -> libvirt.libvirtError:
    """An error as the bindings raise it."""
    error = libvirt.libvirtError(text)
    error.err = (code, libvirt.VIR_FROM_QEMU, text, libvirt.VIR_ERR_ERROR, '', '', '', -1, -1)
    return error
