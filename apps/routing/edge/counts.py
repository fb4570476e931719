"""How many tokens a request has: the provider's own count where it has one, else an estimate that says so."""

from collections.abc import Callable

from apps.routing.edge.calls import Switchboard
from apps.routing.edge.conversation import Conversation
from apps.routing.edge.dialects.anthropic.counting import ESTIMATED
from apps.routing.edge.dialects.speech import Format
from brokle.edge.http import JSON, Request


class Counts:
    def __init__(self, switchboard: Switchboard, spoken: Format, estimate: Callable[[Conversation], bytes]) -> None:
        """`estimate` writes the answer where no provider can be asked."""
        self._switchboard = switchboard
        self._format = spoken
        self._estimate = estimate

    async def answer(self, request: Request) -> None:
        ask = await self._format.ask_of(request)
        plan = self._switchboard.plan(request, self._format, ask)
        plan.shadow = ""  # a question about a call is no call to mirror
        plan.upstreams = [upstream for upstream in plan.upstreams if upstream.dialect.speaks(self._format.name)]
        if plan.upstreams:
            await self._switchboard.carry(request, self._format, ask, plan)
        else:
            await request.reply(200, self._estimate(ask.conversation()), JSON, ESTIMATED)
