"""Images: the disks that servers are made from, and the snapshots that are made from servers."""

from typing import Final

from cloudplane.objects.base import Record

# status: spelling is Glance's.
QUEUED: Final = 'queued'  # the record exists, its data does not
SAVING: Final = 'saving'  # data is being written
ACTIVE: Final = 'active'  # data is whole, verified and never changes again
KILLED: Final = 'killed'  # a store that cannot try again gave up; the folder store never says this
DELETED: Final = 'deleted'  # answered by stores that keep the records of what is gone; the folder store forgets them
UNFINISHED: Final = (QUEUED, SAVING)

# disk_format
RAW: Final = 'raw'
QCOW2: Final = 'qcow2'
DISK_FORMATS: Final = (RAW, QCOW2)

# container_format
BARE: Final = 'bare'

# visibility
PUBLIC: Final = 'public'
PRIVATE: Final = 'private'
VISIBILITIES: Final = (PUBLIC, PRIVATE)


class Image(Record, frozen=True, kw_only=True):
    """One image. Sizes in bytes unless the name says otherwise; times are UTC, `YYYY-MM-DDTHH:MM:SSZ`."""

    id: str  # a UUID in lower case, made by whoever asks for the image
    name: str = ''
    status: str = QUEUED
    disk_format: str = QCOW2  # raw | qcow2: what the owner declares; verified before the image becomes active
    container_format: str = BARE
    size_bytes: int | None = None  # of the file; None until active
    virtual_size_bytes: int | None = None  # of the disk that a guest sees; None until active
    checksum_sha512: str | None = None  # hexadecimal, of the file; None until active
    checksum_md5: str | None = None  # what Image v2 calls `checksum`; clients compare it, cloudplane trusts sha512
    min_disk_gb: int = 0  # the smallest root disk that a flavor must give, in GiB
    min_memory_mb: int = 0  # the least memory that a flavor must give, in MiB
    owner: str | None = None  # project id; None: the cloud's own
    visibility: str = PRIVATE
    protected: bool = False  # refuses delete until it is switched off
    properties: dict[str, str] = {}  # free ones: os_distro, hw_disk_bus …
    operation_id: str | None = None  # the snapshot operation that makes or made it; None: uploaded
    created_at: str = ''  # written by the store
    updated_at: str = ''  # written by the store
