"""Model providers: those that every configuration has, and those of `[model_providers]`."""

import os

from protocol.settings import IDLE_TIMEOUT_MS, Provider
from supervisor.layers import ConfigError
from supervisor.login import Login
from supervisor.toml import ProviderToml, Toml

DEFAULT = "openai"
CHATGPT = "https://chatgpt.com/backend-api/codex"  # where a login with ChatGPT is good for
LOCAL = {  # servers on the user's own machine, at the ports that they open by default
    "ollama": ("Ollama", "http://localhost:11434/v1"),
    "lmstudio": ("LM Studio", "http://localhost:1234/v1"),
}


def provider(toml: Toml, known: Login | None, id: str | None = None) -> Provider:
    """The provider called `id`, else the configured one.  Raises ConfigError if there is none."""
    id = id or toml.model_provider or DEFAULT
    own = toml.model_providers.get(id)
    if own is not None:
        return _configured(id, own, known)
    if id == DEFAULT:
        return _openai(toml, known)
    if id in LOCAL:
        name, base_url = LOCAL[id]
        return Provider(id=id, name=name, base_url=base_url)
    raise ConfigError(f"Model provider `{id}` not found")


def _openai(toml: Toml, known: Login | None) -> Provider:
    base_url = toml.openai_base_url or os.environ.get("OPENAI_BASE_URL")
    chatgpt = known is not None and known.mode != "apikey"
    openai = Provider(
        id=DEFAULT,
        name="OpenAI",
        env_http_headers={
            "OpenAI-Organization": "OPENAI_ORGANIZATION",
            "OpenAI-Project": "OPENAI_PROJECT",
        },
        requires_openai_auth=True,
    )
    _sign(openai, known)
    if chatgpt:
        openai.base_url = CHATGPT
    if base_url:
        openai.base_url = base_url
    return openai


def _configured(id: str, own: ProviderToml, known: Login | None) -> Provider:
    found = Provider(
        id=id,
        name=own.name,
        wire_api="scripted" if own.wire_api == "scripted" else "responses",
        env_key=own.env_key,
        env_key_instructions=own.env_key_instructions,
        bearer_token=own.experimental_bearer_token,
        http_headers=own.http_headers or {},
        env_http_headers=own.env_http_headers or {},
        query_params=own.query_params or {},
        stream_idle_timeout_ms=_or(own.stream_idle_timeout_ms, IDLE_TIMEOUT_MS),
        requires_openai_auth=own.requires_openai_auth,
        script=own.script,
    )
    found.base_url = own.base_url or found.base_url
    if own.requires_openai_auth and found.bearer_token is None and own.env_key is None:
        _sign(found, known)
    found.request_max_retries = _or(own.request_max_retries, found.request_max_retries)
    found.stream_max_retries = _or(own.stream_max_retries, found.stream_max_retries)
    return found


def _or(configured: int | None, usual: int) -> int:
    return usual if configured is None else configured


def _sign(provider: Provider, known: Login | None) -> None:
    """With what the user logged in with; OPENAI_API_KEY is not a login (observed)."""
    if known is None:
        return
    provider.bearer_token, provider.uses_login = known.token, True
    if known.mode != "apikey" and known.account_id is not None:
        provider.http_headers = {"chatgpt-account-id": known.account_id, **provider.http_headers}
