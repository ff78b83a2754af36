"""What every operation of one host works with."""

import dataclasses
from pathlib import Path
from typing import Protocol

from cloudplane.compute.converge import Converger
from cloudplane.compute.fence import Fence
from cloudplane.compute.session import Session
from cloudplane.compute.settings import AgentSettings
from cloudplane.compute.virt.driver import Driver
from cloudplane.images.store import ImageStore, Progress


class BaseImages(Protocol):
    """Where a build gets the base image of its disk: the host's image cache."""

    def base(self, image_id: str, progress: Progress = ...) -> Path:
        """The verified file, fetched if need be; a waiter's progress is called as well."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Workplace:
    """One host, as its operations see it."""

    host: str
    settings: AgentSettings
    driver: Driver
    fence: Fence
    session: Session
    images: ImageStore
    base_images: BaseImages
    converger: Converger
