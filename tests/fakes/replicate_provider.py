"""A small provider that speaks Replicate's API: predictions that take their time, are streamed, fail, or never end.

What it gives is checked by the types of Replicate's own client; addresses and errors are those that its recorded calls
and its documentation show. What it does is decided by the model it is asked for.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from replicate.prediction import Prediction

from tests.fakes.model_provider import WORDS, Call, Handler, Provider, served

KEY = "r8_mock_key_of_replicate"
TEXT = "".join(WORDS)
METRICS = {"input_token_count": 11, "output_token_count": 7, "predict_time": 0.2, "total_time": 0.3}
PICTURE = "https://replicate.delivery/xezq/picture.webp"
VERSION = "5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa"
ELSEWHERE = "http://127.0.0.1:1/v1/predictions/elsewhere"
_COMMON = {"prompt", "temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty"}
INPUTS = {
    "meta/meta-llama-3-8b-instruct": _COMMON | {"system_prompt", "max_tokens", "min_tokens", "stop_sequences"},
    "meta/llama-2-7b-chat": _COMMON | {"system_prompt", "max_new_tokens", "stop_sequences"},
    "openai/gpt-4o-mini": _COMMON - {"top_k", "seed"}
    | {"messages", "system_prompt", "max_completion_tokens", "image_input"},
    "black-forest-labs/flux-schnell": {"prompt", "aspect_ratio", "num_outputs", "output_format", "go_fast", "seed"},
    "black-forest-labs/flux-kontext-max": {"prompt", "input_image", "aspect_ratio", "output_format", "seed"},
    "black-forest-labs/flux-fill-pro": {"prompt", "image", "mask", "output_format", "guidance", "steps", "seed"},
    "google/nano-banana": {"prompt", "image_input", "aspect_ratio", "output_format"},
}
MODELS = (
    "meta/meta-llama-3-8b-instruct",
    "meta/llama-2-7b-chat",
    "openai/gpt-4o-mini",
    "acme/failing",
    "acme/unwanted",
    "acme/endless",
    "acme/astray",
    "acme/cut",
    "acme/limited",
)
_ERRORS = {"acme/failing": "CUDA out of memory", "acme/unwanted": "The output was flagged as sensitive (E005)"}
_CREATE = re.compile(r"/v1/(?:models/(?P<model>[^/]+/[^/]+)/|deployments/(?P<deployed>[^/]+/[^/]+)/)?predictions")


class Kept:
    """A prediction as the provider holds it; each look at it finds it a little further."""

    def __init__(self, number: int, model: str, inputs: dict[str, Any]) -> None:
        self.id = f"pw050dtb51rj40cjb2v{number}"
        self.model = model
        self.inputs = inputs
        self.looks = 0
        self.is_canceled = False

    @property
    def status(self) -> str:
        if self.is_canceled:
            return "canceled"
        if self.model == "acme/endless" or self.looks < (0 if self.model.startswith("openai/") else 2):
            return "processing" if self.looks else "starting"
        return "failed" if self.model in _ERRORS else "succeeded"

    def output(self) -> Any:
        if self.model in _ERRORS:
            return None
        if self.model in {
            "black-forest-labs/flux-kontext-max",
            "black-forest-labs/flux-fill-pro",
            "google/nano-banana",
        }:
            return PICTURE if self.status == "succeeded" else None
        if self.model.startswith("black-forest"):
            return [PICTURE] * self.inputs.get("num_outputs", 1) if self.status == "succeeded" else None
        return WORDS if self.status == "succeeded" else WORDS[: self.looks]

    def told(self, base: str) -> dict[str, Any]:
        status = self.status
        urls = {"get": f"{base}/predictions/{self.id}", "cancel": f"{base}/predictions/{self.id}/cancel"}
        if self.model not in {"meta/llama-2-7b-chat", *_ERRORS}:
            urls["stream"] = f"{base}/streams/{self.id}"
        if self.model == "acme/astray":
            urls = {name: f"{ELSEWHERE}/{name}" for name in urls}
        found = {
            "id": self.id,
            "model": self.model,
            "version": "hidden",
            "input": self.inputs,
            "logs": "",
            "output": self.output(),
            "data_removed": False,
            "error": _ERRORS[self.model] if status == "failed" else None,
            "status": status,
            "created_at": "2026-11-27T10:00:00.000Z",
            "urls": urls,
        }
        if status == "succeeded":
            found["metrics"] = {"image_count": 1} if self.model.startswith("black-forest") else METRICS
        Prediction(**found)
        return found


class _Handler(Handler):
    kept: dict[str, Kept]

    @property
    def base(self) -> str:
        return self.provider.url + "/v1"

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(f"GET {self.path}", headers, {}, b"")
        self.provider.calls.append(call)
        kind, _, prediction_id = self.path.removeprefix("/v1/").partition("/")
        found = self.kept.get(prediction_id)
        if not self._is_known(headers):
            self.refuse(401, "Unauthenticated", "You did not pass a valid authentication token")
        elif found is None:
            self.refuse(404, "Not found", "The requested resource could not be found.")
        elif kind == "streams":
            self._stream(call, found)
        else:
            found.looks += 1
            self.answer(200, json.dumps(found.told(self.base), indent=1, ensure_ascii=False).encode())

    def refuse(self, status: int, title: str, detail: str, **headers: str) -> None:
        body = {"title": title, "detail": detail, "status": status}
        self.answer(status, json.dumps(body).encode(), kind="application/problem+json", **headers)

    def behaviour(self, call: Call) -> Callable[[Handler, Call], None]:
        if not self._is_known(call.headers):
            return _refusing(401, "Unauthenticated", "You did not pass a valid authentication token")
        if call.path.endswith("/cancel"):
            return _cancel
        found = _CREATE.fullmatch(call.path)
        if found is None:
            return _refusing(404, "Not found", "The requested resource could not be found.")
        model = found["model"] or found["deployed"] or ""
        if not model and call.body.get("version") != VERSION:
            return _refusing(422, "Invalid version or not permitted", "The specified version does not exist")
        return self._judged(call, model)

    def _judged(self, call: Call, model: str) -> Callable[[Handler, Call], None]:
        if model == "acme/limited":
            words = "Request was throttled. Expected available in 7 seconds."
            return lambda handler, _: handler.answer(429, json.dumps({"detail": words}).encode(), retry_after="7")
        unknown = sorted(call.body["input"].keys() - INPUTS.get(model, call.body["input"].keys()))
        if unknown or not call.body["input"].keys() & {"prompt", "messages"}:
            return _refusing(422, "Input validation failed", f"- input: {', '.join(unknown) or 'prompt is required'}\n")
        return lambda handler, _: _create(handler, call, model or "replicate/hello-world")

    def everything(self) -> bytes:
        return super().everything() or b"{}"

    @staticmethod
    def _is_known(headers: dict[str, str]) -> bool:
        return headers.get("authorization") == f"Bearer {KEY}"

    def _stream(self, call: Call, found: Kept) -> None:
        self.begin_stream()
        try:
            for number, word in enumerate(WORDS):
                if found.model == "acme/cut" and number == 3:
                    self.reset()
                    return
                self.piece(call, f"event: output\nid: {number}:0\ndata: {word}\n\n".encode())
                while found.model == "acme/endless" and not found.is_canceled:
                    self.piece(call, b": hi\n\n")
                    time.sleep(0.02)
            found.looks = 2
            self.piece(call, b"event: done\nid: 9:0\ndata: {}\n\n")
            self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            call.was_left = True


def _create(handler: Handler, call: Call, model: str) -> None:
    assert isinstance(handler, _Handler)
    found = Kept(len(handler.kept), model, call.body["input"])
    handler.kept[found.id] = found
    handler.answer(201, json.dumps(found.told(handler.base)).encode())


def _cancel(handler: Handler, call: Call) -> None:
    assert isinstance(handler, _Handler)
    found = handler.kept[call.path.split("/")[-2]]
    found.is_canceled = True
    handler.answer(200, json.dumps(found.told(handler.base)).encode())


def _refusing(status: int, title: str, detail: str) -> Callable[[Handler, Call], None]:
    return lambda handler, _: handler.refuse(status, title, detail)  # type: ignore[attr-defined]


@contextmanager
def replicate_provider() -> Iterator[Provider]:
    with served(type("Keeping", (_Handler,), {"kept": {}})) as found:
        yield found
