"""POST /servers/{id}/action: each action's one key, and what it holds."""

from typing import Final

from cloudplane.api.compute.schemas.types import METADATA, NAME, NULL, STRING, Schema, record

START: Final = record({'os-start': NULL})
STOP: Final = record({'os-stop': NULL})
_REBOOT_TYPE: Final[Schema] = {'type': 'string', 'enum': ['SOFT', 'HARD', 'Soft', 'Hard', 'soft', 'hard']}
REBOOT: Final = record({'reboot': record({'type': _REBOOT_TYPE})})
CREATE_IMAGE: Final = record({'createImage': record({'name': NAME, 'metadata': METADATA}, optional=('metadata',))})
CONSOLE_OUTPUT: Final = record(
    {
        'os-getConsoleOutput': record(
            {'length': {'type': ['integer', 'string', 'null'], 'minimum': -1, 'pattern': '^(-1|[0-9]{1,9})$'}},
            optional=('length',),
        )
    }
)
CONSOLE_OUTPUT_ANSWER: Final = record({'output': STRING})
