"""`POST /v1/messages/count_tokens`: the provider's own count where it has one, else an estimate that says so."""

from typing import Final

from apps.routing.edge.admission import Admission, Estimate
from apps.routing.edge.asks import Ask
from apps.routing.edge.calls import Switchboard
from apps.routing.edge.dialects.anthropic.counting import ESTIMATED, estimate
from apps.routing.edge.dialects.anthropic.messages import CountFormat
from apps.routing.edge.dialects.speech import Format
from apps.routing.edge.plan import Plan
from apps.routing.edge.usage import Usage
from brokle.edge.http import JSON, Request
from brokle.edge.limits import Limiter

_FORMAT: Final[Format] = CountFormat()


class Counts:
    def __init__(self, switchboard: Switchboard, limiter: Limiter) -> None:
        self._switchboard = switchboard
        self._limiter = limiter

    async def answer(self, request: Request) -> None:
        ask = await _FORMAT.ask_of(request)
        plan = self._switchboard.plan(request, _FORMAT, ask)
        knowing = [upstream for upstream in plan.upstreams if upstream.dialect.speaks(_FORMAT.name)]
        if knowing:
            plan.upstreams = knowing
            await self._switchboard.carry(request, _FORMAT, ask, plan)
        else:
            await self._estimate(request, ask, plan)

    async def _estimate(self, request: Request, ask: Ask, plan: Plan) -> None:
        """Costs nothing, and counts as a request."""
        admission = Admission(self._limiter)
        try:
            await admission.take(request, ask.user or ask.controls.user, plan, Estimate(0, 0))
            await request.reply(200, estimate(ask.conversation()), JSON, ESTIMATED)
        finally:
            await admission.settle(Usage(), 0)
