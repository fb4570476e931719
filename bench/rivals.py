"""Other gateways from their own packages, in a folder of their own, set up as their documents say for most speed.

LiteLLM and TensorZero come from PyPI, Portkey from npm. What is installed once stays in `.bench/`.
"""

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from brokle.engines.fleet import free_port

PLACE = Path(__file__).parent.parent / ".bench"
_LITELLM, _TENSORZERO = "litellm[proxy]==1.106.2", "tensorzero==2026.6.0"
# Newer releases of these two break every stream of it.
_PORTKEY = {"@portkey-ai/gateway": "1.15.2", "hono": "4.9.7", "@hono/node-server": "1.13.5"}


@dataclass
class Rival:
    """`model` is what to ask it for, `headers` what it wants beside."""

    name: str
    url: str
    model: str
    headers: dict[str, str]
    command: list[str]
    environment: dict[str, str]
    folder: Path

    def start(self) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{self.name}.log").open("wb")
        return subprocess.Popen(
            self.command, cwd=self.folder, env={**os.environ, **self.environment}, stdout=log, stderr=log
        )


def litellm(folder: Path, upstream: str) -> Rival:
    python = _python("litellm", _LITELLM)
    port = free_port()
    model = {"model_name": "fast", "litellm_params": {"model": "openai/fast", "api_base": upstream, "api_key": "sk-x"}}
    (folder / "litellm.yaml").write_text(_yaml({"model_list": [model], "general_settings": {"master_key": "sk-bench"}}))
    command = [str(python.parent / "litellm"), "--config", "litellm.yaml", "--host", "127.0.0.1", "--port", str(port)]
    environment = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }
    more = ["--num_workers", "2", "--telemetry", "False"]
    headers = {"Authorization": "Bearer sk-bench"}
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    return Rival("LiteLLM", url, "fast", headers, [*command, *more], environment, folder)


def portkey(folder: Path, upstream: str) -> Rival:
    place = PLACE / "portkey"
    if not (place / "node_modules" / "@portkey-ai").exists():
        place.mkdir(parents=True, exist_ok=True)
        held = {name: version for name, version in _PORTKEY.items() if "portkey" not in name}
        (place / "package.json").write_text(json.dumps({"dependencies": _PORTKEY, "overrides": held}))
        subprocess.run(["npm", "install", "--silent", "--prefix", str(place)], check=True)
    port = free_port()
    script = place / "node_modules/@portkey-ai/gateway/build/start-server.js"
    headers = {"Authorization": "Bearer sk-x", "x-portkey-provider": "openai", "x-portkey-custom-host": upstream}
    command = ["node", str(script), f"--port={port}", "--headless"]
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    return Rival("Portkey", url, "fast", headers, command, {"NODE_ENV": "production"}, folder)


def tensorzero(folder: Path, upstream: str) -> Rival:
    python = _python("tensorzero", _TENSORZERO)
    (folder / "tensorzero.toml").write_text(
        textwrap.dedent(f"""
        [gateway]
        observability.enabled = false
        [models.fast]
        routing = ["up"]
        [models.fast.providers.up]
        type = "openai"
        model_name = "fast"
        api_base = "{upstream}"
        api_key_location = "none"
        """)
    )
    (folder / "tensorzero_run.py").write_text(
        textwrap.dedent("""
        import asyncio, threading
        from tensorzero.tensorzero import _start_http_gateway
        started = _start_http_gateway(config_file="tensorzero.toml", clickhouse_url=None, postgres_url=None,
                                      valkey_url=None, async_setup=False)
        print(started.base_url, flush=True)
        threading.Event().wait()
        """)
    )
    command = [str(python), "tensorzero_run.py"]
    return Rival("TensorZero", "", "tensorzero::model_name::fast", {}, command, {}, folder)


def _python(name: str, requirement: str) -> Path:
    python = PLACE / name / "bin" / "python"
    if not python.exists():
        uv = str(PLACE.parent / ".tools" / "uv" / "bin" / "uv")
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(PLACE / name)], check=True)
        subprocess.run(
            [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), requirement], check=True
        )
    return python


def _yaml(value: object) -> str:
    import yaml

    return yaml.safe_dump(value)
