"""Where upstreams are made out of what the control plane compiled."""

from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from apps.routing.edge.book import CredentialRecord, ModelRecord, ProviderRecord, place_of_credential
from apps.routing.edge.dialects.catalog import dialect_of
from apps.routing.edge.dialects.replicate.dialect import Replicate
from apps.routing.edge.dialects.tokens import Tokens
from apps.routing.edge.doors import JSON_HEADERS, OPEN_TO_ALL, Door
from apps.routing.edge.measures import MeasureBoard
from apps.routing.edge.upstreams import PredictionUpstream, Upstream
from brokle.edge.egress import EgressClient
from brokle.edge.egress.breaker import BreakerBoard, BreakerRules
from brokle.kernel.errors import BadRequest
from brokle.kernel.sealing import Sealer

_SILENCE: Final = BreakerRules(window_calls=2**31)
"""By calls in a row alone: one answer among them, and the upstream is there."""


class Workshop:
    """Makes upstreams out of records: the only place where a provider's key is read in clear."""

    __slots__ = ("_breakers", "_egress", "_known", "_measures", "_sealer", "_silences")

    def __init__(
        self, egress: EgressClient | None, sealer: Sealer | None, known: Callable[[str, str], ModelRecord | None]
    ) -> None:
        """`known` finds a model in the catalogue by kind of provider. Who only plans needs no way out and no keys."""
        self._egress = egress
        self._sealer = sealer
        self._known = known
        self._breakers = BreakerBoard()
        self._silences = BreakerBoard(_SILENCE)
        self._measures = MeasureBoard()

    def described(self, provider: ProviderRecord, name: str, listed: ModelRecord | None) -> ModelRecord:
        """What an organization lists counts more than what the catalogue knows; what neither knows stays open."""
        if listed is not None and listed.price.is_known:
            return listed
        known = self._known(provider.kind, listed.upstream if listed else name)
        if known is None:
            return listed or ModelRecord(name, name)
        if listed is None:
            return known
        return msgspec.structs.replace(
            known,
            name=listed.name,
            upstream=listed.upstream,
            context=listed.context or known.context,
            max_output=listed.max_output or known.max_output,
        )

    def doors(self, provider: ProviderRecord) -> list[Door]:
        credentials = provider.credentials or [OPEN_TO_ALL]
        return [self._door(provider, credential, self._secret(credential)) for credential in credentials]

    def _door(self, provider: ProviderRecord, credential: CredentialRecord, secret: str) -> Door:
        assert self._egress is not None  # noqa: S101 - whoever plans only makes no doors
        dialect = dialect_of(provider.dialect)
        headers = {**JSON_HEADERS, **dialect.headers(secret, {"auth": provider.auth, **provider.options})}
        return Door(credential, secret, self._egress, headers, dialect.signer(secret, provider.options, self._egress))

    def _own_door(self, provider: ProviderRecord, secret: str) -> Door:
        """For one call. What would have to be given elsewhere for a token is not: it goes to the provider alone."""
        door = self._door(provider, OPEN_TO_ALL, secret)
        if isinstance(door.signer, Tokens):
            raise BadRequest("A key that a caller brings is sent as it is; bring the token instead of what fetches one")
        return door

    def upstream(self, provider: ProviderRecord, model: ModelRecord, doors: list[Door]) -> Upstream:
        name = f"{provider.provider_id}/{model.upstream}"
        breaker, measure = self._breakers.breaker(name), self._measures.measure(name)
        silence, cut = self._silences.breaker(name), partial(self._own_door, provider)
        kind = PredictionUpstream if isinstance(dialect_of(provider.dialect), Replicate) else Upstream
        return kind(provider, model, doors, breaker, measure, silence, cut)

    def _secret(self, credential: CredentialRecord) -> str:
        if not credential.sealed or self._sealer is None:
            return ""
        place = place_of_credential(credential.credential_id)
        return self._sealer.unseal(credential.sealed, place=place).decode()
