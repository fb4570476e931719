"""Google's addresses: they name the model and end in what to do with it."""

from typing import Final

import msgspec

from apps.routing.edge.calls import Switchboard
from apps.routing.edge.conversation import Conversation
from apps.routing.edge.counts import Counts
from apps.routing.edge.dialects.anthropic.counting import tokens_in
from apps.routing.edge.dialects.gemini.arrays import Listed
from apps.routing.edge.dialects.gemini.embed import BATCH_EMBED, EMBED, MANY, ONE, EmbedFormat
from apps.routing.edge.dialects.gemini.generate import STREAM, CountFormat, GenerateFormat, called
from apps.routing.edge.dialects.speech import Format
from brokle.edge.http import Request
from brokle.edge.limits import Limiter
from brokle.kernel.errors import NotFound

GENERATE: Final[Format] = GenerateFormat()
_VECTORS: Final[dict[str, Format]] = {ONE: EmbedFormat(EMBED, ONE), MANY: EmbedFormat(BATCH_EMBED, MANY)}


class Verbs:
    def __init__(self, switchboard: Switchboard, limiter: Limiter) -> None:
        self._switchboard = switchboard
        self._counts = Counts(switchboard, limiter, CountFormat(), _counted)

    async def answer(self, request: Request) -> None:
        _, verb = called(request.path)
        if verb == STREAM and request.query().get("alt") != "sse":
            await self._switchboard.answer(Listed(request), GENERATE)
        elif verb in {STREAM, "generateContent"}:
            await self._switchboard.answer(request, GENERATE)
        elif verb == "countTokens":
            await self._counts.answer(request)
        elif verb in _VECTORS:
            await self._switchboard.answer(request, _VECTORS[verb])
        else:
            known = f"generateContent, {STREAM}, countTokens, {ONE} and {MANY}"
            raise NotFound(f"`{verb[:60]}` is not known here; known are {known}")


def _counted(conversation: Conversation) -> bytes:
    return msgspec.json.encode({"totalTokens": tokens_in(conversation)})
