"""What tests of other rooms and of this one begin with."""

from functools import lru_cache

from apps.routing.edge.catalogue import Shelf
from apps.routing.selectors.shelves import build_shelves
from apps.routing.services.catalogue import refresh_catalogue
from brokle.kernel.clock import utc_now


def put_small_catalogue() -> None:
    """OpenAI's and Groq's models as they are; the whole takes seconds."""
    refresh_catalogue(build=lambda _now: _few())


@lru_cache(maxsize=1)
def _few() -> dict[str, Shelf]:
    return build_shelves(utc_now(), only=("openai", "groq"))
