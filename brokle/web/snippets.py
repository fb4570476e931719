"""Ready-to-paste first requests."""

from dataclasses import dataclass

_CURL = """curl {base}/v1/chat/completions \\
  -H "Authorization: Bearer {key}" \\
  -H "Content-Type: application/json" \\
  -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'"""

_CONNECT = """curl {base}/api/v1/providers \\
  -H "Authorization: Bearer {key}" \\
  -H "Content-Type: application/json" \\
  -d '{{"name": "openai", "kind": "openai", "api_key": "sk-…"}}'"""

_OWN_KEY = """curl {base}/v1/chat/completions \\
  -H "Authorization: Bearer {key}" \\
  -H "x-brokle-provider-key: {provider}=sk-…" \\
  -H "Content-Type: application/json" \\
  -d '{{"model": "{provider}/gpt-4o-mini", "messages": [{{"role": "user", "content": "Hello"}}]}}'"""

_ROUTE = """curl {base}/api/v1/routes \\
  -H "Authorization: Bearer {key}" \\
  -H "Content-Type: application/json" \\
  -d '{{"name": "support-chat", "targets": [{{"model": "echo/fast"}}]}}'"""

_LIMIT = """curl "{base}/api/v1/limits?environment={environment}" \\
  -H "Authorization: Bearer {token}" \\
  -H "Content-Type: application/json" \\
  -d '{{"name": "monthly", "subject": "project", "measured": "usd", "amount": 50000000, "window": "month"}}'"""

_PYTHON = """from openai import OpenAI

client = OpenAI(base_url="{base}/v1", api_key="{key}")
reply = client.chat.completions.create(
    model="{model}",
    messages=[{{"role": "user", "content": "Hello"}}],
)
print(reply.choices[0].message.content)"""

_JAVASCRIPT = """import OpenAI from "openai";

const client = new OpenAI({{ baseURL: "{base}/v1", apiKey: "{key}" }});
const reply = await client.chat.completions.create({{
  model: "{model}",
  messages: [{{ role: "user", content: "Hello" }}],
}});
console.log(reply.choices[0].message.content);"""


@dataclass(frozen=True, slots=True)
class Snippet:
    title: str
    text: str


def chat_command(base_url: str, key: str, model: str = "echo/fast") -> str:
    return _CURL.format(base=base_url.rstrip("/"), key=key, model=model)


def connect_command(base_url: str, key: str) -> str:
    """Connects a provider."""
    return _CONNECT.format(base=base_url.rstrip("/"), key=key)


def own_key_command(base_url: str, key: str, provider: str = "openai") -> str:
    """Brings a key of the caller's own to one call."""
    return _OWN_KEY.format(base=base_url.rstrip("/"), key=key, provider=provider)


def route_command(base_url: str, key: str) -> str:
    """Makes a route."""
    return _ROUTE.format(base=base_url.rstrip("/"), key=key)


def limit_command(base_url: str, token: str, environment_id: str) -> str:
    """Sets a limit; a person does, by a token of theirs."""
    return _LIMIT.format(base=base_url.rstrip("/"), token=token, environment=environment_id)


def chat_snippets(base_url: str, key: str, model: str = "echo/fast") -> list[Snippet]:
    base = base_url.rstrip("/")
    return [
        Snippet("curl", chat_command(base, key, model)),
        Snippet("Python", _PYTHON.format(base=base, key=key, model=model)),
        Snippet("JavaScript", _JAVASCRIPT.format(base=base, key=key, model=model)),
    ]
