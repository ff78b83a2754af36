"""What a route is. The table of all of them is routes.py."""

from collections.abc import Callable
from typing import Any

import msgspec

from cloudplane.api.compute.call import Answer
from cloudplane.api.compute.microversions import ALWAYS, Window

Schema = dict[str, Any]
# Called with the Call, then with the variables of the path by name.
Handler = Callable[..., Answer]


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of the API: what clients may send, who may, and what they get.

    The same method and path may be there several times with windows that do not overlap: what changed with a
    microversion is another route. `action` is the one key of the body of POST …/action.
    """

    method: str
    path: str  # below /v2.1 and the project id, with {variables}
    handler: Handler
    success: int
    policy: str
    versions: Window = ALWAYS
    action: str = ''
    request: Schema | None = None  # of the body; None: it takes none
    query: Schema | None = None  # of {parameter: [values]}; what it does not name is ignored below 2.75
    response: Schema | None = None  # of the body of the success; None: it has none
    versioned: bool = True  # False: a version document, outside of /v2.1

    @property
    def name(self) -> str:
        """For people."""
        return f'{self.method} {self.path}' + (f' {self.action}' if self.action else '')
