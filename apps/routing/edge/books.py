"""The books of all projects, opened when first asked for."""

from typing import Final

from apps.routing.edge.book import KIND, decode_book
from apps.routing.edge.catalogue import Catalogues
from apps.routing.edge.plan import NO_BOOK, Book
from apps.routing.edge.workshop import Workshop
from brokle.edge.egress import EgressClient
from brokle.edge.egress.limits import PoolLimits
from brokle.edge.runtime import Runtime
from brokle.kernel.sealing import Sealer

# A stream holds its connection for as long as it lasts, and thousands may last at once.
_POOL: Final = PoolLimits(connections=4096, waiting=8192)


class Books:
    __slots__ = ("_empty", "_kind")

    def __init__(self, runtime: Runtime) -> None:
        settings = runtime.settings
        sealer = Sealer((settings.secret_key, *settings.secret_key_fallbacks), "snapshot")
        # Failures are this room's to judge, target by target; one origin may serve good and bad models.
        egress = EgressClient(settings.egress, pool_limits=_POOL)
        workshop = Workshop(egress, sealer, Catalogues(runtime).find)
        self._kind = runtime.snapshot.register(KIND, lambda raw: Book(decode_book(raw), workshop))
        self._empty = Book(NO_BOOK, workshop)

    def of(self, project_id: str) -> Book:
        return self._kind.find(project_id) or self._empty
