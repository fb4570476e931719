"""How many tokens a request has: the provider's own count where it has one, else an estimate that says so."""

from collections.abc import Callable

from apps.routing.edge.admission import Admission, Estimate
from apps.routing.edge.asks import Ask
from apps.routing.edge.calls import Switchboard
from apps.routing.edge.conversation import Conversation
from apps.routing.edge.dialects.anthropic.counting import ESTIMATED
from apps.routing.edge.dialects.speech import Format
from apps.routing.edge.plan import Plan
from apps.routing.edge.usage import Usage
from brokle.edge.http import JSON, Request
from brokle.edge.limits import Limiter


class Counts:
    def __init__(
        self,
        switchboard: Switchboard,
        limiter: Limiter,
        spoken: Format,
        estimate: Callable[[Conversation], bytes],
    ) -> None:
        """`estimate` writes the answer where no provider can be asked."""
        self._switchboard = switchboard
        self._limiter = limiter
        self._format = spoken
        self._estimate = estimate

    async def answer(self, request: Request) -> None:
        ask = await self._format.ask_of(request)
        plan = self._switchboard.plan(request, self._format, ask)
        knowing = [upstream for upstream in plan.upstreams if upstream.dialect.speaks(self._format.name)]
        if knowing:
            plan.upstreams = knowing
            await self._switchboard.carry(request, self._format, ask, plan)
        else:
            await self._answer_estimated(request, ask, plan)

    async def _answer_estimated(self, request: Request, ask: Ask, plan: Plan) -> None:
        """Costs nothing, and counts as a request."""
        admission = Admission(self._limiter)
        try:
            await admission.take(request, ask.user or ask.controls.user, plan, Estimate(0, 0))
            await request.reply(200, self._estimate(ask.conversation()), JSON, ESTIMATED)
        finally:
            await admission.settle(Usage(), 0)
