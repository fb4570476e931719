"""What the guide tells receivers to do is done here, with messages that the courier signs."""

import json
import re
import subprocess
from datetime import timedelta

import pytest

import brokle
from apps.orgs.services.signatures import new_secret, signed_headers
from brokle.kernel.clock import utc_now
from brokle.web.build_assets import find_node

GUIDE = (brokle.HOUSE / "docs" / "guides" / "webhooks.md").read_text()
BODY = '{"type":"key.created","data":{"name":"مفتاح"}}'.encode()
_SCRIPT = """
const [secret, headers, body] = JSON.parse(process.argv[1]);
console.log(verify(secret, headers, Buffer.from(body, "utf8")));
"""


def block(language):
    return re.search(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)[1]


def in_python(secret, headers, body):
    names = {}
    exec(block("python"), names)  # noqa: S102 - the guide's own words
    return names["verify"](secret, headers, body)


def in_javascript(secret, headers, body):
    node = find_node().node
    source = block("javascript").replace("export function", "function") + _SCRIPT
    message = json.dumps([secret, headers, body.decode()])
    command = [node, "--input-type=module", "-e", source, "--", message]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {"true": True, "false": False}[done.stdout.strip()]


@pytest.mark.parametrize("verify", [in_python, in_javascript])
def test_the_example_accepts_what_is_ours_and_refuses_all_else(verify):
    secret, former = new_secret(), new_secret()
    headers = dict(signed_headers(message_id="evt_1", at=utc_now(), body=BODY, keys=[secret, former]))
    late = dict(signed_headers(message_id="evt_1", at=utc_now() - timedelta(minutes=6), body=BODY, keys=[secret]))

    assert verify(secret, headers, BODY) is True
    assert verify(former, headers, BODY) is True
    assert verify(new_secret(), headers, BODY) is False
    assert verify(secret, headers, BODY + b" ") is False
    assert verify(secret, headers | {"webhook-id": "evt_2"}, BODY) is False
    assert verify(secret, late, BODY) is False
