"""The books of all projects, opened when first asked for."""

from apps.routing.edge.book import KIND, decode_book
from apps.routing.edge.plan import NO_BOOK, Book
from apps.routing.edge.upstreams import Workshop
from brokle.edge.egress import EgressClient
from brokle.edge.runtime import Runtime
from brokle.kernel.sealing import Sealer


class Books:
    __slots__ = ("_empty", "_kind")

    def __init__(self, runtime: Runtime) -> None:
        settings = runtime.settings
        sealer = Sealer((settings.secret_key, *settings.secret_key_fallbacks), "snapshot")
        # Failures are this room's to judge, target by target; one origin may serve good and bad models.
        workshop = Workshop(EgressClient(settings.egress), sealer)
        self._kind = runtime.snapshot.register(KIND, lambda raw: Book(decode_book(raw), workshop))
        self._empty = Book(NO_BOOK, workshop)

    def of(self, project_id: str) -> Book:
        return self._kind.find(project_id) or self._empty
