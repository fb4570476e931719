from apps.routing.edge.asks import Ask
from apps.routing.edge.dialects.embedding import Embedder
from apps.routing.edge.dialects.pictures import Painter
from apps.routing.edge.dialects.signing import Signer
from brokle.edge.egress import EgressClient


class Usual:
    """What most dialects have in common: fixed headers are all a call needs, and conversations all that is written.

    Whatever else a caller wrote in a form that is understood there is passed on as it is.
    """

    lacks: frozenset[str] = frozenset()

    def signer(self, secret: str, options: dict[str, str], egress: EgressClient) -> Signer | None:
        return None

    def fitted(self, body: bytes, operation: str, ask: Ask) -> bytes:
        return body

    def embedder(self) -> Embedder | None:
        return None

    def painter(self) -> Painter | None:
        return None
