"""Charges past requests again, by the prices that hold now; the log keeps one row for each request, the last."""

from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction

from apps.routing.edge.catalogue import OBJECT, Catalogue
from apps.routing.edge.prices import Price
from apps.routing.models import Provider, ProviderModel, Recosting, RecostingStatus
from apps.routing.selectors.price_list import price_of_usd
from apps.routing.selectors.providers import providers_at
from apps.routing.services.records import record
from apps.routing.snapshot import compile_catalogue
from brokle.celery import app
from brokle.engines.analytics import Query, UnableToQuery, rewrite_rows
from brokle.ground.services import Actor
from brokle.kernel.clock import Clock, utc_now
from brokle.kernel.errors import Invalid

TASK: Final = "routing.recost"
LONGEST: Final = timedelta(days=60)
_MOST_MODELS: Final = 10_000
_CHARGED: Final = "status < 400 AND cache NOT IN ('hit', 'semantic')"
# The log does not tell the two lives of a cached input apart; the short one is the usual.
_BUCKETS: Final = (
    ("toInt128(input_tokens)", "input", ""),
    ("toInt128(cache_read_tokens)", "cache_read", "input"),
    ("toInt128(cache_write_tokens)", "cache_write_5m", "input"),
    ("toInt128(output_tokens)", "output", ""),
    ("toInt128(reasoning_tokens)", "reasoning", "output"),
)
_ALL_INPUT: Final = "toUInt64(input_tokens) + cache_read_tokens + cache_write_tokens"


@transaction.atomic
def ask_for_recosting(
    *,
    organization_id: str,
    environment_id: str,
    since: datetime,
    until: datetime,
    actor: Actor,
    provider: str = "",
    model: str = "",
) -> Recosting:
    """Begins once the transaction commits, on the low queue."""
    if not since < until:
        raise Invalid("`until` lies after `since`", field="until")
    if until - since > LONGEST:
        raise Invalid(f"At most {LONGEST.days} days at a time: older requests are no longer kept", field="since")
    job = Recosting.objects.of(organization_id).create(
        organization_id=organization_id,
        environment_id=environment_id,
        since=since,
        until=until,
        provider=provider,
        model=model,
        created_by=actor.id,
    )
    after = {"since": since.isoformat(), "until": until.isoformat(), "provider": provider, "model": model}
    record(organization_id, actor, "recosting.created", job.id, after={**after, "environment": environment_id})
    transaction.on_commit(lambda: app.send_task(TASK, (organization_id, job.id), queue="low"))
    return job


def recost(*, organization_id: str, recosting_id: str, clock: Clock = utc_now) -> int:
    """How many requests were charged again; a second run charges them the same."""
    job = Recosting.objects.of(organization_id).select_related("environment").filter(id=recosting_id).first()
    if job is None or job.status == RecostingStatus.DONE:
        return 0
    try:
        before, _requests = _total(job)
        unpriced = sum(_charge(job, group) for group in _groups(job))
        after, requests = _total(job)
    except UnableToQuery:
        _finish(job, clock(), status=RecostingStatus.FAILED)
        raise
    _finish(
        job,
        clock(),
        status=RecostingStatus.DONE,
        requests=requests - unpriced,
        unpriced=unpriced,
        cost_before_usd_nanos=before,
        cost_after_usd_nanos=after,
    )
    return requests - unpriced


def cost_expression(price: Price) -> str:
    """`Price.cost_nanos` in ClickHouse's whole numbers, halves to the even nano-dollar; numbers are ours."""
    picos = _picos(price)
    for tier in price.tiers:
        picos = f"if({_ALL_INPUT} > {tier.above}, {_picos(tier.price)}, {picos})"
    whole, rest = f"intDiv({picos}, 1000)", f"modulo({picos}, 1000)"
    return f"toInt64({whole} + ({rest} > 500 OR ({rest} = 500 AND modulo({whole}, 2) = 1)))"


def _charge(job: Recosting, group: dict[str, Any]) -> int:
    """The requests of one model; how many of them have no known price and stay as they are."""
    price = _price(job, group["provider"], group["model"])
    if price is None:
        return int(group["requests"])
    query = _requests_of(job, "*").where(
        "provider = {provider:String} AND model = {model:String}", provider=group["provider"], model=group["model"]
    )
    for hours in (None, *price.hours):
        moment = _within(price, hours)
        charged = price if hours is None else hours.price
        rewrite_rows(
            query.where(moment).ordered("at ASC", limit=2**62),
            {"cost_usd_nanos": cost_expression(charged), "price_version": _quoted(price.version)},
        )
    return 0


def _within(price: Price, hours: Any) -> str:
    """The seconds of a day that a price is for; without hours, those that no hours claim."""
    second = "toUInt32(toUnixTimestamp(at) % 86400)"

    def claim(span: Any) -> str:
        joint = "OR" if span.end_s < span.start_s else "AND"
        return f"({second} >= {span.start_s} {joint} {second} < {span.end_s})"

    if hours is None:
        return " AND ".join(f"NOT {claim(span)}" for span in price.hours) or "1"
    later = price.hours[price.hours.index(hours) + 1 :]
    return " AND ".join([claim(hours), *(f"NOT {claim(span)}" for span in later)])


def _price(job: Recosting, provider_name: str, model: str) -> Price | None:
    """What holds now: the organization's own, else the catalogue's."""
    provider = _provider(job, provider_name)
    if provider is None:
        return None
    own = ProviderModel.objects.of(job.organization_id).filter(provider=provider, upstream_name=model).first()
    if own is not None and own.prices:
        return price_of_usd(own.prices, own.price_version)
    compiled = compile_catalogue(OBJECT)
    found = Catalogue.of(compiled).find(provider.kind, model) if compiled else None
    return found.price if found is not None and found.price.is_known else None


def _provider(job: Recosting, name: str) -> Provider | None:
    rows = providers_at(job.organization_id, project_id=job.environment.project_id).filter(name=name)
    return rows.order_by("project_id").first()


def _groups(job: Recosting) -> list[dict[str, Any]]:
    query = _requests_of(job, "provider", "model", "count() AS requests").grouped("provider", "model")
    return query.ordered("provider", "model", limit=_MOST_MODELS).rows()


def _total(job: Recosting) -> tuple[int, int]:
    [row] = _requests_of(job, "sum(cost_usd_nanos) AS cost", "count() AS requests").rows()
    return int(row["cost"]), int(row["requests"])


def _requests_of(job: Recosting, *columns: str) -> Query:
    query = Query(table="request_logs", organization_id=job.organization_id, columns=columns)
    query = query.where(
        "environment_id = {environment_id:String}"
        " AND at >= {since:DateTime64(6, 'UTC')} AND at < {until:DateTime64(6, 'UTC')}",
        environment_id=job.environment_id,
        since=job.since,
        until=job.until,
    ).where(_CHARGED)
    if job.provider:
        query = query.where("provider = {only_provider:String}", only_provider=job.provider)
    return query.where("model = {only_model:String}", only_model=job.model) if job.model else query


def _picos(price: Price) -> str:
    terms = [f"{count} * {_said(price, bucket, family)}" for count, bucket, family in _BUCKETS]
    return f"({price.request} + {' + '.join(terms)})"


def _said(price: Price, bucket: str, family: str) -> int:
    value: int = getattr(price, bucket)
    return value if value >= 0 or not family else int(getattr(price, family))


def _quoted(version: str) -> str:
    """Ours, and still only what a version is made of."""
    if not version.replace("_", "").replace(".", "").isalnum():
        raise ValueError(f"{version!r} is no version of a price")
    return f"'{version}'"


def _finish(job: Recosting, now: datetime, **facts: Any) -> None:
    for name, value in facts.items():
        setattr(job, name, value)
    job.finished_at = now
    job.save(update_fields=[*facts, "finished_at"])
