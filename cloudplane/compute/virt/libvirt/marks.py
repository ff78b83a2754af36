"""The marks on a guest: which server it is, whose, and which work made it.

They lie in the metadata of libvirt's domain, in an XML namespace of our own, and so they live and die with the guest.
"""

import xml.etree.ElementTree as ET
from typing import Any, Final

import libvirt
import msgspec

from cloudplane.compute.virt.driver import Token

NAMESPACE: Final = 'urn:cloudplane:guest:1'
_KEY: Final = 'cloudplane'


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """What cloudplane notes on a guest."""

    server_id: str
    host: str  # of the agent it belongs to: several may share one libvirtd
    sequence: int
    operation_id: str
    attempt: int
    run: str  # another text for each start, because libvirt may use a domain id again
    committed: bool = False

    def same_build(self, token: Token) -> bool:
        """Whether the build of this token made the guest."""
        return self.sequence == token.sequence

    def to_element(self) -> ET.Element:
        """The XML element for a domain's metadata."""
        element = ET.Element(f'{{{NAMESPACE}}}guest')
        element.set('server', self.server_id)
        element.set('host', self.host)
        element.set('sequence', str(self.sequence))
        element.set('operation', self.operation_id)
        element.set('attempt', str(self.attempt))
        element.set('run', self.run)
        element.set('committed', 'yes' if self.committed else 'no')
        return element


def parse(text: str) -> Marks | None:
    """The marks in the XML text of the element; None if it does not say what it must."""
    try:
        element = ET.fromstring(text)
        return Marks(
            server_id=element.attrib['server'],
            host=element.attrib['host'],
            sequence=int(element.attrib['sequence']),
            operation_id=element.attrib['operation'],
            attempt=int(element.attrib['attempt']),
            run=element.attrib['run'],
            committed=element.attrib['committed'] == 'yes',
        )
    except (ET.ParseError, KeyError, ValueError):
        return None


def read(domain: Any) -> Marks | None:
    """The marks of a domain, or None. In a native thread."""
    try:
        return parse(domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, NAMESPACE, 0))
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN_METADATA:
            return None
        raise


def write(domain: Any, marks: Marks) -> None:
    """Put other marks on a domain, the running one and its definition alike. In a native thread."""
    flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG | (libvirt.VIR_DOMAIN_AFFECT_LIVE if domain.isActive() else 0)
    # libvirt adds the namespace itself, and does not take an element that declares it.
    element = marks.to_element()
    element.tag = 'guest'
    domain.setMetadata(
        libvirt.VIR_DOMAIN_METADATA_ELEMENT, ET.tostring(element, encoding='unicode'), _KEY, NAMESPACE, flags
    )
