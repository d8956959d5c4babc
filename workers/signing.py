"""By which headers a provider knows who asks."""

import os

from protocol.settings import Provider
from workers.provider import ProviderError


def signed(provider: Provider) -> dict[str, str]:
    """The provider's own headers and the token, names in lower case.  Raises ProviderError."""
    headers = {name.lower(): value for name, value in provider.http_headers.items()}
    for name, variable in provider.env_http_headers.items():
        if value := os.environ.get(variable, "").strip():
            headers[name.lower()] = value
    if token := _token(provider):
        headers["authorization"] = f"Bearer {token}"
    return headers


def _token(provider: Provider) -> str | None:
    if provider.env_key is None:
        return provider.bearer_token
    if token := os.environ.get(provider.env_key, "").strip():
        return token
    hint = f" {provider.env_key_instructions}" if provider.env_key_instructions else ""
    raise ProviderError(f"Missing environment variable: `{provider.env_key}`.{hint}")
