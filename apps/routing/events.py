"""What happens at the gateway and others may be told of."""

from brokle.kernel.extensions import EventType, event_types
from brokle.kernel.words import gettext_noop


def declare_events() -> None:
    threshold = EventType(
        "budget.threshold",
        gettext_noop("A budget runs low or is used up"),
        audience="limits.manage",
        mailed="limits.manage",
        url_name="limits",
        needs="limits.read",
        lists=(("key_", "settings-keys", "keys.read"),),
    )
    event_types.register(threshold.key, threshold)
