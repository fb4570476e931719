"""`POST /v1/messages/count_tokens`: the provider's own count where it has one, else an estimate that says so."""

from typing import Final

from apps.routing.edge.calls import Switchboard
from apps.routing.edge.dialects.anthropic.counting import ESTIMATED, estimate
from apps.routing.edge.dialects.anthropic.messages import CountFormat
from apps.routing.edge.dialects.speech import Format
from brokle.edge.http import JSON, Request

_FORMAT: Final[Format] = CountFormat()


class Counts:
    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard

    async def answer(self, request: Request) -> None:
        ask = await _FORMAT.ask_of(request)
        plan = self._switchboard.plan(request, _FORMAT, ask)
        plan.shadow = ""  # a question about a call is no call to mirror
        plan.upstreams = [upstream for upstream in plan.upstreams if upstream.dialect.speaks(_FORMAT.name)]
        if plan.upstreams:
            await self._switchboard.carry(request, _FORMAT, ask, plan)
        else:
            await request.reply(200, estimate(ask.conversation()), JSON, ESTIMATED)
