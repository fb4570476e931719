"""What a room brings to the data plane. Rooms are named as strings: the ground floor imports none of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from brokle.edge.dispatch import Endpoint
from brokle.edge.sinks import Table, Usage

if TYPE_CHECKING:
    from brokle.edge.runtime import Runtime

ROOMS = ("apps.routing.edge.room",)


Notice = tuple[str, str, dict[str, Any]]
"""Live room, type and data."""


@dataclass(frozen=True, slots=True)
class Room:
    """`open` makes the endpoints once per process; the rest is the shipper's.

    Tables and usages tell where records go; `announce` turns a delivered batch into live notices.
    """

    name: str
    open: Callable[["Runtime"], Sequence[Endpoint]]
    tables: Sequence[Table] = field(default=())
    usages: Sequence[Usage] = field(default=())
    announce: Callable[[dict[str, list[bytes]]], Iterable[Notice]] | None = None


def load_rooms(names: Sequence[str] = ROOMS) -> list[Room]:
    return [import_module(name).ROOM for name in names]
