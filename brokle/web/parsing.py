"""Bodies of the management API."""

from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from rest_framework.serializers import Serializer


class StrictJsonParser(JSONParser):
    """Nesting that would exhaust the stack is the caller's mistake."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("The JSON is nested too deeply") from None


def parsed(serializer: type[Serializer[Any]], request: Any) -> dict[str, Any]:
    """What the body asks for, checked; or 422 naming the field."""
    asked = serializer(data=request.data)
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)
