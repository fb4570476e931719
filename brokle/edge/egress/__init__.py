"""The only way out of Brokle: one HTTP client, one policy, one place where outbound connections are made."""

from brokle.edge.egress.client import EgressClient, Exchange, Target
from brokle.edge.egress.errors import EgressRefused
from brokle.edge.egress.limits import Limits, PoolLimits
from brokle.edge.egress.policy import FixedHost, Policy
from brokle.edge.egress.response import Response

__all__ = [
    "EgressClient",
    "EgressRefused",
    "Exchange",
    "FixedHost",
    "Limits",
    "Policy",
    "PoolLimits",
    "Response",
    "Target",
]
