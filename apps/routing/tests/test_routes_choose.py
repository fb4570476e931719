"""Which targets a route takes for a call, and in what order."""

import json
import time
from collections import Counter
from datetime import UTC, datetime

import pytest

from apps.routing.edge.book import BookRecord, ModelRecord, ProviderRecord, RouteRecord, TargetRecord
from apps.routing.edge.conditions import Condition, Facts
from apps.routing.edge.measures import Measure
from apps.routing.edge.plan import Book
from apps.routing.edge.prices import Price
from apps.routing.edge.route import Route, Shadow
from apps.routing.edge.upstreams import Upstream
from apps.routing.edge.workshop import Workshop
from brokle.kernel.errors import Invalid

PROVIDER = ProviderRecord("prv_1", "mock", "openai-compatible", "http://127.0.0.1/v1")


def upstream(name, *, dollars=1, context=0, capabilities=()):
    price = Price(input=dollars * 1_000_000, output=dollars * 1_000_000, version="v")
    model = ModelRecord(name, name, price, context, capabilities=list(capabilities))
    return Upstream(PROVIDER, model, [], None, Measure())


def route(strategy, *targets, known, **settings):
    """Targets as `name`, `(name, weight)` or `(name, weight, when)`."""
    whole = [target if isinstance(target, tuple) else (target,) for target in targets]
    records = [
        TargetRecord(name, weight, json.dumps(when).encode() if when else b"")
        for name, weight, when in ((*given, 1, {})[: len(given)] + (1, {})[len(given) - 1 :] for given in whole)
    ]
    record = RouteRecord("rte_1", "chosen", 3, strategy, records, settings=json.dumps(settings).encode())
    return Route(record, {one.model: one for one in known}.get)


def names(candidates):
    return [one.upstream.model for one in candidates]


def test_fallback_keeps_the_order_written():
    a, b, c = upstream("a"), upstream("b"), upstream("c")
    assert names(route("fallback", "b", "a", "c", known=[a, b, c]).choose(Facts())) == ["b", "a", "c"]


def test_weights_are_shares_and_weight_zero_is_only_for_when_all_else_fails():
    a, b, c = upstream("a"), upstream("b"), upstream("c")
    chosen = route("weighted", ("a", 3), ("b", 1), ("c", 0), known=[a, b, c])

    drawn = [names(chosen.choose(Facts())) for _ in range(4000)]

    firsts = Counter(order[0] for order in drawn)
    assert 0.70 < firsts["a"] / 4000 < 0.80
    assert firsts["c"] == 0
    assert {order[2] for order in drawn} == {"c"}


def test_cost_asks_the_cheapest_first_and_the_unpriced_last():
    dear, cheap, unknown = upstream("dear", dollars=9), upstream("cheap"), upstream("unknown")
    unknown.price = Price()
    chosen = route("cost", "unknown", "dear", "cheap", known=[dear, cheap, unknown])
    assert names(chosen.choose(Facts(input_tokens=1000))) == ["cheap", "dear", "unknown"]


def test_latency_prefers_the_faster_of_two_and_never_starves_the_unmeasured():
    slow, fast, new = upstream("slow"), upstream("fast"), upstream("new")
    slow.measure.ended(1.0, ttft_s=2.0, duration_s=4.0)
    fast.measure.ended(1.0, ttft_s=0.1, duration_s=0.2)
    chosen = route("latency", "slow", "fast", "new", known=[slow, fast, new])

    firsts = Counter(names(chosen.choose(Facts()))[0] for _ in range(600))

    assert firsts["slow"] == 0
    assert firsts["fast"] > 100
    assert firsts["new"] > 200


def test_calls_under_way_make_an_upstream_less_attractive():
    busy, idle = upstream("busy"), upstream("idle")
    for one in (busy, idle):
        one.measure.ended(1.0, ttft_s=0.1, duration_s=0.2)
    busy.measure.began()
    assert names(route("latency", "busy", "idle", known=[busy, idle]).choose(Facts())) == ["idle", "busy"]
    assert names(route("busy", "busy", "idle", known=[busy, idle]).choose(Facts())) == ["idle", "busy"]


def test_usage_fills_targets_by_what_they_can_take():
    small, large = upstream("small"), upstream("large")
    chosen = route("usage", ("small", 1), ("large", 10), known=[small, large])
    now = time.monotonic()
    small.measure.used(now, 100)
    large.measure.used(now, 900)
    assert names(chosen.choose(Facts())) == ["large", "small"]


def test_quality_asks_the_best_first():
    good, better, unknown = upstream("good"), upstream("better"), upstream("unknown")
    good.quality, better.quality = 0.7, 0.9
    chosen = route("quality", "unknown", "good", "better", known=[good, better, unknown])
    assert names(chosen.choose(Facts())) == ["better", "good", "unknown"]


def test_a_sticky_user_meets_the_same_target_and_shares_follow_the_weights():
    a, b = upstream("a"), upstream("b")
    chosen = route("weighted", ("a", 9), ("b", 1), known=[a, b], sticky="user")

    of = {f"u{n}": names(chosen.choose(Facts(user=f"u{n}")))[0] for n in range(2000)}

    assert all(names(chosen.choose(Facts(user=user)))[0] == first for user, first in of.items())
    assert 0.87 < Counter(of.values())["a"] / 2000 < 0.93


def test_who_leaves_moves_nobody_else():
    a, b, c = upstream("a"), upstream("b"), upstream("c")
    all_three = route("fallback", "a", "b", "c", known=[a, b, c], sticky="session")
    without_c = route("fallback", "a", "b", "c", known=[a, b], sticky="session")
    for number in range(300):
        facts = Facts(session=f"s{number}")
        before = names(all_three.choose(facts))[0]
        assert before == "c" or names(without_c.choose(facts))[0] == before


def test_a_call_that_is_too_long_or_needs_more_goes_to_who_can_take_it():
    small = upstream("small", context=1000, capabilities=["tools"])
    seeing = upstream("seeing", context=9000, capabilities=["tools", "image-input"])
    chosen = route("fallback", "small", "seeing", known=[small, seeing])

    assert names(chosen.choose(Facts(input_tokens=500))) == ["small", "seeing"]
    assert names(chosen.choose(Facts(input_tokens=5000))) == ["seeing", "small"]
    assert names(chosen.choose(Facts(needs=frozenset({"image-input"})))) == ["seeing", "small"]


def test_a_provider_that_cannot_be_asked_for_tools_comes_behind_whatever_its_models_are_said_to_do():
    replicate = ProviderRecord("prv_2", "rep", "replicate", "http://127.0.0.1/v1")
    deaf = [
        Upstream(replicate, ModelRecord(name, name, capabilities=known), [], None, Measure())
        for name, known in (("silent", []), ("boasting", ["tools"]))
    ]
    chosen = route("fallback", "silent", "boasting", "able", known=[*deaf, upstream("able")])

    assert names(chosen.choose(Facts(needs=frozenset({"tools"})))) == ["able", "silent", "boasting"]
    assert names(chosen.choose(Facts())) == ["silent", "boasting", "able"]
    assert {one.reason for one in chosen.explain(Facts(needs=frozenset({"tools"})))[:2]} == {"it has no tools"}


def test_conditions_leave_targets_out_and_the_explanation_says_why():
    a, b = upstream("a"), upstream("b")
    gold = ("a", 1, {"tag.tier": ["gold", "silver"], "input_tokens": {"max": 99}})
    chosen = route("fallback", gold, "b", known=[a, b])

    assert names(chosen.choose(Facts(tags={"tier": "gold"}, input_tokens=99))) == ["a", "b"]
    assert names(chosen.choose(Facts(tags={"tier": "iron"}, input_tokens=99))) == ["b"]
    first, second = chosen.explain(Facts(tags={"tier": "gold"}, input_tokens=100))
    assert (first.target, first.place, first.reason) == ("mock/a", 0, "`when.input_tokens` does not fit")
    assert (second.target, second.place, second.reason) == ("mock/b", 1, "in the order written")


class Doorless(Workshop):
    """Nobody is called."""

    def doors(self, provider):
        return []


def patience(*targets, **facts):
    """Of a plan, by model."""
    record = RouteRecord("rte_1", "chosen", 1, "fallback", list(targets), timeout_ms=60_000)
    workshop = Doorless(None, None, lambda _kind, _model: None)
    found = Book(BookRecord("prj_1", [PROVIDER], [record]), workshop).plan("chosen", lambda: Facts(**facts))
    return {upstream.model: seconds for upstream, seconds in found.patience.items()}


def test_a_plan_tells_how_long_each_target_is_waited_for():
    short, long = TargetRecord("mock/a", 1, b'{"input_tokens": {"max": 99}}', 500), TargetRecord("mock/a", 1, b"", 9000)
    other, endless = TargetRecord("mock/b"), TargetRecord("mock/a")

    assert patience(short, other) == {"a": 0.5}
    assert patience(other) == {}
    assert patience(short, long, other, input_tokens=5) == {"a": 9.0}
    assert patience(long, short, input_tokens=500) == {"a": 9.0}
    assert patience(short, endless) == {}
    assert patience(short, other, input_tokens=500) == {}


def test_an_explanation_tells_the_deadlines_of_targets():
    a, b = upstream("a"), upstream("b")
    records = [TargetRecord("a", timeout_ms=500), TargetRecord("b")]
    found = Route(RouteRecord("rte_1", "r", 1, "fallback", records), {"a": a, "b": b}.get)

    assert [one.timeout_ms for one in found.explain(Facts())] == [500, 0]


@pytest.mark.parametrize(
    ("when", "facts", "fits"),
    [
        ({"user": "u1"}, Facts(user="u1"), True),
        ({"user": ["u1", "u2"]}, Facts(user="u3"), False),
        ({"stream": True}, Facts(is_stream=True), True),
        ({"stream": True}, Facts(), False),
        ({"metadata.team": "red"}, Facts(tags={"team": "red"}), True),
        ({"region": "me"}, Facts(tags={"region": "me"}), True),
        ({"hour": {"min": 8, "max": 17}}, Facts(at=datetime(2026, 1, 5, 17, 59, tzinfo=UTC)), True),
        ({"hour": {"min": 8, "max": 17}}, Facts(at=datetime(2026, 1, 5, 18, 0, tzinfo=UTC)), False),
        ({"weekday": 1}, Facts(at=datetime(2026, 1, 5, tzinfo=UTC)), True),
        ({"capability": "image-input"}, Facts(needs=frozenset({"image-input", "tools"})), True),
        ({"capability": "image-input"}, Facts(), False),
        ({"segment": "vip"}, Facts(segments=frozenset({"vip"})), True),
        ({"segment": "vip"}, Facts(), False),
        ({"flag.new": True}, Facts(flags={"new": True}), True),
        ({"flag.new": True}, Facts(), False),
        ({}, Facts(), True),
    ],
)
def test_a_condition_holds_when_every_line_of_it_fits(when, facts, fits):
    assert (Condition(when).misfit(facts) == "") is fits


@pytest.mark.parametrize(
    "when",
    [{"nonsense": 1}, {"input_tokens": {"above": 3}}, {"input_tokens": {}}, {"user": []}, {"hour": "x"}, {"tag.": 1}],
)
def test_what_a_condition_does_not_know_is_refused(when):
    with pytest.raises(Invalid, match="condition"):
        Condition(when)


def test_a_shadow_is_a_sample():
    a = upstream("a")
    never = route("fallback", "a", known=[a], shadow={"model": "mock/b", "percent": 0})
    always = route("fallback", "a", known=[a], shadow={"model": "mock/b"})
    assert (never.mirrors(), always.mirrors()) == (False, True)
    assert always.settings.shadow == Shadow("mock/b")


def test_averages_forget_and_a_peak_counts_at_once():
    measure = Measure()
    measure.ended(10.0, ttft_s=0.1, duration_s=1.0)
    measure.ended(10.1, ttft_s=0.1, duration_s=9.0)
    assert measure.duration_s == 9.0
    measure.ended(10.2, ttft_s=0.1, duration_s=1.0)
    assert 8.9 < measure.duration_s < 9.0
    measure.ended(200.0, ttft_s=0.1, duration_s=1.0)
    assert measure.duration_s < 1.02


def test_a_minute_of_tokens_slides():
    measure = Measure()
    measure.used(60.0, 600)
    assert measure.tokens_per_minute(119.0) == 600
    assert measure.tokens_per_minute(150.0) == 300
    assert measure.tokens_per_minute(181.0) == 0
