"""Doors of the control plane while Redis is stopped: open unless the operator closed them."""

import pytest

from brokle.kernel.errors import Unavailable
from brokle.web import rates

pytestmark = pytest.mark.engines


@pytest.mark.parametrize("setting", ["budgets-closed", "open"])
def test_with_redis_stopped_a_door_stays_open(stop_redis, settings, setting):
    settings.LIMITS_WITHOUT_REDIS = setting
    stop_redis()

    rates.demand_rate("sign-in", "amal", amount=1, window_s=60)
    rates.demand_rate("sign-in", "amal", amount=1, window_s=60)


def test_with_redis_stopped_a_closed_one_is_closed(stop_redis, settings):
    settings.LIMITS_WITHOUT_REDIS = "closed"
    rates.demand_rate("sign-in", "huda", amount=9, window_s=60)
    stop_redis()

    with pytest.raises(Unavailable, match="cannot be checked right now"):
        rates.demand_rate("sign-in", "huda", amount=9, window_s=60)
