"""Who may do what: rule names are Nova's, so that operators find what they know.

What a rule adds to "is authenticated" is said here; that a project sees only its own servers is not a rule but the
scope of every question to the conductor.
"""

from enum import Enum
from typing import Final

from cloudplane.context import RequestContext
from cloudplane.exceptions import Forbidden


class Check(Enum):
    """What the caller must be."""

    ANYBODY = 'anybody'  # without a token
    MEMBER = 'member'  # anybody who is known
    ADMIN = 'admin'


VERSIONS: Final = 'cloudplane:versions'
ALL_TENANTS: Final = 'os_compute_api:servers:index:get_all_tenants'
SERVER_ATTRIBUTES: Final = 'os_compute_api:os-extended-server-attributes'
ACTION_TRACEBACK: Final = 'os_compute_api:os-instance-actions:events'

RULES: Final[dict[str, Check]] = {
    VERSIONS: Check.ANYBODY,
    ALL_TENANTS: Check.ADMIN,
    SERVER_ATTRIBUTES: Check.ADMIN,
    ACTION_TRACEBACK: Check.ADMIN,
    'os_compute_api:servers:index': Check.MEMBER,
    'os_compute_api:servers:detail': Check.MEMBER,
    'os_compute_api:servers:show': Check.MEMBER,
    'os_compute_api:servers:create': Check.MEMBER,
    'os_compute_api:servers:update': Check.MEMBER,
    'os_compute_api:servers:delete': Check.MEMBER,
    'os_compute_api:servers:start': Check.MEMBER,
    'os_compute_api:servers:stop': Check.MEMBER,
    'os_compute_api:servers:reboot': Check.MEMBER,
    'os_compute_api:servers:create_image': Check.MEMBER,
    'os_compute_api:os-console-output': Check.MEMBER,
    'os_compute_api:server-metadata:index': Check.MEMBER,
    'os_compute_api:server-metadata:show': Check.MEMBER,
    'os_compute_api:os-instance-actions:list': Check.MEMBER,
    'os_compute_api:os-instance-actions:show': Check.MEMBER,
    'os_compute_api:flavors': Check.MEMBER,
    'os_compute_api:os-flavor-manage:create': Check.ADMIN,
    'os_compute_api:os-flavor-manage:delete': Check.ADMIN,
    'os_compute_api:os-flavor-extra-specs:index': Check.MEMBER,
    'os_compute_api:os-flavor-extra-specs:show': Check.MEMBER,
    'os_compute_api:os-keypairs:index': Check.MEMBER,
    'os_compute_api:os-keypairs:show': Check.MEMBER,
    'os_compute_api:os-keypairs:create': Check.MEMBER,
    'os_compute_api:os-keypairs:delete': Check.MEMBER,
    'os_compute_api:os-services:list': Check.ADMIN,
    'os_compute_api:os-hypervisors:list': Check.ADMIN,
    'os_compute_api:os-hypervisors:list-detail': Check.ADMIN,
    'os_compute_api:os-hypervisors:show': Check.ADMIN,
    'os_compute_api:os-availability-zone:list': Check.MEMBER,
    'os_compute_api:os-availability-zone:detail': Check.ADMIN,
}


def allows(rule: str, context: RequestContext) -> bool:
    """Whether the caller may do what the rule is about."""
    check = RULES[rule]
    if check is Check.ADMIN:
        return bool(context.is_admin)
    return check is Check.ANYBODY or context.project_id is not None


def enforce(rule: str, context: RequestContext) -> None:
    """Forbidden, if the caller may not."""
    if not allows(rule, context):
        raise Forbidden(f"Policy doesn't allow {rule} to be performed.")
