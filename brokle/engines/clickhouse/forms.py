"""Requests as multipart/form-data: long query parameters, and data for temporary tables."""

from collections.abc import Iterator
from email.message import Message
from email.parser import BytesParser

from brokle.engines.clickhouse.errors import BAD_REQUEST_PARAMETER, QUERY_IS_TOO_LARGE, refusal
from brokle.engines.clickhouse.request import MAX_FORM_BYTES, ExternalTable, Parameters

_ENDINGS = ("format", "structure", "types")


def read(pieces: Iterator[bytes], content_type: str, parameters: Parameters) -> Iterator[bytes]:
    """Moves the form's fields into `parameters` and its files into tables; nothing is left of the body."""
    files: dict[str, bytes] = {}
    for part in _parts(pieces, content_type):
        name = part.get_param("name", header="content-disposition")
        data = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(data, bytes):
            raise refusal(BAD_REQUEST_PARAMETER, "BAD_ARGUMENTS", "A part of the form has no name.")
        if part.get_filename() is None:
            parameters.add(name, data.decode("utf-8", "surrogateescape"))
        else:
            files[name] = data
    for name, data in files.items():
        parameters.tables.append(_table(name, data, parameters.settings))
    return iter(())


def _parts(pieces: Iterator[bytes], content_type: str) -> list[Message]:
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > MAX_FORM_BYTES:
            raise refusal(QUERY_IS_TOO_LARGE, "QUERY_IS_TOO_LARGE", f"The form is longer than {MAX_FORM_BYTES} bytes.")
    message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + bytes(body))
    parts = message.get_payload()
    if not isinstance(parts, list):
        raise refusal(BAD_REQUEST_PARAMETER, "BAD_ARGUMENTS", "The form cannot be read.")
    return [part for part in parts if isinstance(part, Message)]


def _table(name: str, data: bytes, settings: dict[str, str]) -> ExternalTable:
    told = {ending: settings.pop(f"{name}_{ending}", "") for ending in _ENDINGS}
    structure = told["structure"] or ", ".join(
        f"_{number} {kind}" for number, kind in enumerate(told["types"].split(","), start=1) if kind
    )
    if not structure or not name.isidentifier():
        raise refusal(BAD_REQUEST_PARAMETER, "BAD_ARGUMENTS", f"Table {name} needs {name}_structure or {name}_types.")
    return ExternalTable(name, structure, told["format"] or "TabSeparated", data)
