"""Model providers: those that every configuration has, and those of `[model_providers]`."""

import os
from pathlib import Path

from protocol.settings import IDLE_TIMEOUT_MS, Provider
from supervisor.layers import ConfigError
from supervisor.login import login
from supervisor.toml import ProviderToml, Toml

DEFAULT = "openai"
LOCAL = {  # servers on the user's own machine, at the ports that they open by default
    "ollama": ("Ollama", "http://localhost:11434/v1"),
    "lmstudio": ("LM Studio", "http://localhost:1234/v1"),
}


def provider(toml: Toml, home: Path, id: str | None = None) -> Provider:
    """The provider called `id`, else the configured one.  Raises ConfigError if there is none."""
    id = id or toml.model_provider or DEFAULT
    own = toml.model_providers.get(id)
    if own is not None:
        return _configured(id, own, home)
    if id == DEFAULT:
        return _openai(toml, home)
    if id in LOCAL:
        name, base_url = LOCAL[id]
        return Provider(id=id, name=name, base_url=base_url)
    raise ConfigError(f"Model provider `{id}` not found")


def _openai(toml: Toml, home: Path) -> Provider:
    base_url = toml.openai_base_url or os.environ.get("OPENAI_BASE_URL")
    openai = Provider(
        id=DEFAULT,
        name="OpenAI",
        env_http_headers={
            "OpenAI-Organization": "OPENAI_ORGANIZATION",
            "OpenAI-Project": "OPENAI_PROJECT",
        },
        bearer_token=_key(home),
        requires_openai_auth=True,
    )
    if base_url:
        openai.base_url = base_url
    return openai


def _configured(id: str, own: ProviderToml, home: Path) -> Provider:
    token = own.experimental_bearer_token
    if own.requires_openai_auth and token is None and own.env_key is None:
        token = _key(home)
    found = Provider(
        id=id,
        name=own.name,
        wire_api="scripted" if own.wire_api == "scripted" else "responses",
        env_key=own.env_key,
        env_key_instructions=own.env_key_instructions,
        bearer_token=token,
        http_headers=own.http_headers or {},
        env_http_headers=own.env_http_headers or {},
        query_params=own.query_params or {},
        stream_idle_timeout_ms=_or(own.stream_idle_timeout_ms, IDLE_TIMEOUT_MS),
        requires_openai_auth=own.requires_openai_auth,
        script=own.script,
    )
    found.base_url = own.base_url or found.base_url
    found.request_max_retries = _or(own.request_max_retries, found.request_max_retries)
    found.stream_max_retries = _or(own.stream_max_retries, found.stream_max_retries)
    return found


def _or(configured: int | None, usual: int) -> int:
    return usual if configured is None else configured


def _key(home: Path) -> str | None:
    """The API key that the user logged in with; OPENAI_API_KEY is not a login (observed).

    A ChatGPT login's token is for ChatGPT's own backend and is not sent to an API.
    """
    known = login(home)
    return known.token if known is not None and known.mode == "apikey" else None
