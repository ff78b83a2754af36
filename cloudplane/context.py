"""Who asks, and which request it was: travels with every message."""

from typing import Any, Self

from oslo_context import context


class RequestContext(context.RequestContext):
    """oslo.context's RequestContext, with what cloudplane reads of it given a type."""

    request_id: str
    project_id: str | None
    user_id: str | None
    roles: list[str]
    is_admin: bool

    @classmethod
    def from_message(cls, values: dict[str, Any]) -> Self:
        """The context of a received message; unknown fields are ignored."""
        made: Self = cls.from_dict(values)
        return made


def service_context(request_id: str | None = None) -> RequestContext:
    """A context for work that a daemon does of its own accord, or for an operation whose request is `request_id`."""
    return RequestContext(is_admin=True, overwrite=False, request_id=request_id)
