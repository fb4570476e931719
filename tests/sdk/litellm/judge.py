"""Calls the function of LiteLLM that it is told, with what it is given."""

import json
import os
import sys

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # otherwise asked of the network at import

out, sys.stdout = sys.stdout, sys.stderr

import litellm  # noqa: E402 - what it prints while it is loaded must not stand among the answers

litellm.suppress_debug_info = True
litellm.telemetry = False


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = shown(getattr(litellm, asked["verb"]), asked["given"])
        except Exception as error:  # noqa: BLE001 - which one it is, is what is judged
            answer = refusal(error)
        out.write(json.dumps(answer) + "\n")
        out.flush()


def shown(call, given):
    if "file" in given:
        given["file"] = (given["file"]["name"], given["file"]["text"].encode())
    answer = call(**given)
    if given.get("stream"):
        return {"value": [plain(piece) for piece in answer]}
    headers = (getattr(answer, "_hidden_params", None) or {}).get("additional_headers", {})
    return {"value": plain(answer), "headers": {name: str(value) for name, value in headers.items()}}


def plain(answer):
    return json.loads(answer.model_dump_json()) if hasattr(answer, "model_dump_json") else answer


def refusal(error):
    status, code = getattr(error, "status_code", None), getattr(error, "code", None)
    headers = {name: str(value) for name, value in (getattr(error, "litellm_response_headers", None) or {}).items()}
    return {
        "refused": type(error).__name__,
        "message": str(error),
        "status": status,
        "code": str(code),
        "headers": headers,
    }


main()
os._exit(0)  # what it has running behind the scenes is not waited for
