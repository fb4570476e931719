"""What one caller asks for, as much of it as the gateway reads whatever the format."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from apps.routing.edge.conditions import Facts
from apps.routing.edge.controls import Controls
from apps.routing.edge.conversation import Conversation
from brokle.edge.principal import Principal


def _nothing(body: bytes) -> frozenset[str]:
    return frozenset()


@dataclass(slots=True)
class Ask:
    """`body` stays as it came; the conversation in it is read only when a provider speaks another dialect."""

    model: str
    body: bytes
    controls: Controls
    read: Callable[["Ask"], Conversation]
    is_stream: bool = False
    input_size: int = 0
    """Bytes of what goes to the model, from which its tokens are guessed."""
    output_bound: int | None = None
    user: str = ""
    wants_usage: bool = True
    needs: Callable[[bytes], frozenset[str]] = _nothing
    """What a model must be able to do to take this body, in the catalogue's words; looked for only on a route."""
    light: Any = None
    """What the format itself read of the body."""
    headers: tuple[tuple[str, str], ...] = ()
    """What the format says in headers, for providers that understand it."""
    is_spent: bool = False
    """Its body went out as it came in and is not there for a second attempt."""
    course: Any = field(default=None, init=False)
    """What the format keeps of a stream under way, for an error that may have to end it."""
    _conversation: Conversation | None = field(default=None, init=False)

    def conversation(self) -> Conversation:
        if self._conversation is None:
            self._conversation = self.read(self)
        return self._conversation

    def facts(self, principal: Principal, endpoint: str, bytes_per_token: int) -> Facts:
        return Facts(
            model=self.model,
            key=principal.key_id,
            environment=principal.environment_id,
            endpoint=endpoint,
            user=self.user or self.controls.user,
            session=self.controls.session,
            tags=self.controls.tags,
            input_tokens=-(-self.input_size // bytes_per_token),
            output_tokens=self.output_bound,
            is_stream=self.is_stream,
            needs=self.needs(self.body),
        )
