"""What libvirt needs for the same guest without cloudplane: an overlay, and one call that starts the domain.

The overlay is written by the shortest way there is (no program is started for it, and nothing waits for the disk), and
the connection is open already: whatever cloudplane takes beyond that is its own.
"""

import shutil
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import libvirt

from cloudplane.images import qcow2

_HEADER = qcow2.HEADER_BYTES
_PATHS = (('disk/source', 'file'), ('console/log', 'file'), ('serial/log', 'file'))


class BareGuest:
    """The definition of a guest of cloudplane's, with files of its own, to be started without it."""

    def __init__(self, connection: Any, server_id: str, folder: Path) -> None:
        self._connection, self._folder = connection, folder
        text = connection.lookupByUUIDString(server_id).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        self._paths: dict[str, Path] = {}
        self._xml = self._moved(ET.fromstring(text))
        root = next(path for path in self._paths if path.endswith('.qcow2'))
        self._root = self._paths[root]
        with open(root, 'rb') as opened:
            content = opened.read(_HEADER)
        header = qcow2.read_header(content)
        self._size_bytes = header.virtual_size_bytes
        base = content[header.backing_offset : header.backing_offset + header.backing_length]
        self._base = base.decode()
        for original, path in self._paths.items():
            if original.endswith('.iso'):
                shutil.copyfile(original, path)

    def _moved(self, domain: ET.Element) -> str:
        """With another name and other files; without the marks by which the agent knows its guests."""
        for tag in ('uuid', 'metadata', 'title'):
            element = domain.find(tag)
            if element is not None:
                domain.remove(element)
        name = domain.find('name')
        assert name is not None  # every domain has one
        name.text = 'bare'
        for tag, attribute in _PATHS:
            for element in domain.iterfind(f'devices/{tag}'):
                original = element.attrib[attribute]
                self._paths[original] = self._folder / Path(original).name
                element.set(attribute, str(self._paths[original]))
        return ET.tostring(domain, encoding='unicode')

    def start(self) -> float:
        """Seconds for the overlay and the start; the guest is removed afterwards."""
        self._root.unlink(missing_ok=True)
        begin_s = time.perf_counter()
        self._root.write_bytes(qcow2.overlay(self._size_bytes, self._base, Path(self._base).suffix[1:]))
        domain = self._connection.createXML(self._xml, 0)
        taken_s = time.perf_counter() - begin_s
        domain.destroy()
        return taken_s
