"""Google's own kind of schema, which is older than its JSON Schema: read as the latter."""

from typing import Any, Final

_NUMBERS: Final = ("maxItems", "maxLength", "maxProperties", "minItems", "minLength", "minProperties")
_LEFT_OUT: Final = frozenset({"nullable", "propertyOrdering", "property_ordering", "example"})
_NAMES: Final = {
    "any_of": "anyOf",
    "max_items": "maxItems",
    "max_length": "maxLength",
    "max_properties": "maxProperties",
    "min_items": "minItems",
    "min_length": "minLength",
    "min_properties": "minProperties",
}


def json_schema_of(schema: Any) -> Any:
    """Types in small letters, `nullable` as a type, numbers that came as text as numbers."""
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    for given, held in schema.items():
        name = _NAMES.get(given) or str(given)
        if name == "type" and isinstance(held, str):
            found[name] = held.lower()
        elif name == "properties" and isinstance(held, dict):
            found[name] = {key: json_schema_of(inner) for key, inner in held.items()}
        elif name == "anyOf" and isinstance(held, list):
            found[name] = [json_schema_of(inner) for inner in held]
        elif name in _NUMBERS and isinstance(held, str) and held.isdigit():
            found[name] = int(held)
        elif name not in _LEFT_OUT:
            found[name] = json_schema_of(held) if name == "items" else held
    if schema.get("nullable") and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
    return found
