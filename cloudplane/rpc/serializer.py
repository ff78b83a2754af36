"""Turns records and contexts into what oslo.messaging sends, and back."""

from typing import Any

import oslo_messaging

from cloudplane.context import RequestContext
from cloudplane.objects import base


class RecordSerializer(oslo_messaging.Serializer):  # type: ignore[misc]  # oslo.messaging has no types
    """Records travel by name and version; tuples and lists of them too. Anything else must be plain JSON."""

    def serialize_entity(self, ctxt: Any, entity: Any) -> Any:
        """The JSON-able form of an argument or an answer."""
        if isinstance(entity, base.Record):
            return base.to_wire(entity)
        if isinstance(entity, (list, tuple)):
            return [self.serialize_entity(ctxt, item) for item in entity]
        return entity

    def deserialize_entity(self, ctxt: Any, entity: Any) -> Any:
        """The argument or answer that was sent; sequences come back as tuples."""
        if base.is_wire_record(entity):
            return base.from_wire(entity)
        if isinstance(entity, list):
            return tuple(self.deserialize_entity(ctxt, item) for item in entity)
        return entity

    def serialize_context(self, ctxt: RequestContext) -> dict[str, Any]:
        """The context as a dictionary, without the token: no message at rest may hold one."""
        values: dict[str, Any] = ctxt.to_dict()
        values.pop('auth_token', None)
        return values

    def deserialize_context(self, ctxt: dict[str, Any]) -> RequestContext:
        """The context that was sent."""
        return RequestContext.from_message(ctxt)
