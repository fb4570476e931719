"""What a project may call, as the control plane compiled it: one object of the snapshot for each project.

Append fields, never reorder: older processes read newer records.
"""

from typing import Final

import msgspec

from apps.routing.edge.prices import Price

KIND: Final = "routing"


class ModelRecord(msgspec.Struct, array_like=True, frozen=True):
    """`name` is how callers say it, `upstream` how the provider does."""

    name: str
    upstream: str
    price: Price = Price()
    context: int = 0
    max_output: int = 0
    mode: str = "chat"
    capabilities: list[str] = []


class CredentialRecord(msgspec.Struct, array_like=True, frozen=True):
    """`sealed` is under the snapshot's key, at the place `place_of_credential` names."""

    credential_id: str
    sealed: bytes
    weight: int = 1
    environment_id: str = ""


class ProviderRecord(msgspec.Struct, array_like=True, frozen=True):
    """`is_open` lets through models that are not listed, priced by the catalogue where it knows them.

    `kind` is its name in the catalogue, `auth` how its key is sent, `options` the rest of its address and version,
    `endpoints` what the catalogue says it serves.
    """

    provider_id: str
    name: str
    dialect: str
    base_url: str
    credentials: list[CredentialRecord] = []
    models: list[ModelRecord] = []
    is_open: bool = True
    kind: str = ""
    auth: str = ""
    options: dict[str, str] = {}
    endpoints: list[str] = []


class TargetRecord(msgspec.Struct, array_like=True, frozen=True):
    """`when` is the condition as it was written: a mapping of what is asked to the values that fit, in JSON.

    `timeout_ms` is how long one attempt waits for its first byte; 0 is as long as the route has.
    """

    model: str
    weight: int = 1
    when: bytes = b""
    timeout_ms: int = 0


class RouteRecord(msgspec.Struct, array_like=True, frozen=True):
    """`cache` is how answers are kept, in JSON; empty is not at all. `settings` is the definition's rest, in JSON."""

    route_id: str
    name: str
    version: int
    strategy: str
    targets: list[TargetRecord]
    retries: int = 0
    timeout_ms: int = 0
    cache: bytes = b""
    settings: bytes = b""


class LimitRecord(msgspec.Struct, array_like=True, frozen=True):
    """So much of what is measured in a window, for each of the subject or for the one that `only` names.

    A soft one is counted and refuses nobody.
    """

    limit_id: str
    name: str
    subject: str
    measured: str
    amount: int
    window: str = ""
    only: str = ""
    is_soft: bool = False


class BookRecord(msgspec.Struct, array_like=True, frozen=True):
    """`allows_own_keys`: callers may bring a provider's key of their own."""

    project_id: str
    providers: list[ProviderRecord] = []
    routes: list[RouteRecord] = []
    limits: list[LimitRecord] = []
    allows_own_keys: bool = False


_decoder: Final = msgspec.msgpack.Decoder(BookRecord)


def encode_book(record: BookRecord) -> bytes:
    return msgspec.msgpack.encode(record)


def decode_book(raw: bytes) -> BookRecord:
    return _decoder.decode(raw)


def place_of_credential(credential_id: str) -> str:
    return f"snapshot/credential/{credential_id}"
