"""What a thread is loaded with, for each of the three requests that load one."""

import logging
import uuid
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from protocol.loading import ThreadForkParams, ThreadResumeParams, ThreadStartParams
from protocol.policy import ReadOnly
from protocol.settings import Settings
from supervisor.config import Config
from supervisor.connection import Connection
from supervisor.handlers.initialize import user_agent
from supervisor.host import Host
from supervisor.layers import ConfigError
from supervisor.resolve import Overrides, overrides, resolve

__all__ = ["Overrides", "for_fork", "for_resume", "for_start", "overrides", "resolve"]
log = logging.getLogger("atrio.settings")


class Stored(Protocol):
    """A thread on disk, as far as its settings go."""

    cwd: str
    model_provider: str


def for_start(host: Host, client: Connection, params: ThreadStartParams) -> Settings:
    """Raises RpcError.

    A thread that may write marks its project as trusted, unless the user has said otherwise or the
    client has not said where it works (observed).
    """
    wanted = overrides(params)
    settings = resolve(host.config, wanted)
    if params.cwd is not None and _trusts(host.config, settings):
        try:
            host.config.trust(settings.cwd)
        except (OSError, ConfigError) as error:
            log.warning("%s could not be marked as trusted: %s", settings.cwd, error)
        else:
            settings = resolve(host.config, wanted)
    return _of(host, client, settings)


def for_resume(
    host: Host, client: Connection, params: ThreadResumeParams, stored: Stored | None
) -> Settings:
    """Raises RpcError.

    The thread goes on with the model, provider and effort that it had, unless the client names any
    of them; all else follows the configuration of today (observed).
    """
    wanted = overrides(params)
    if stored is not None:
        wanted.cwd = wanted.cwd or stored.cwd
        if keeps_model(params):
            wanted.model_provider = stored.model_provider
    return _of(host, client, resolve(host.config, wanted))


def keeps_model(params: ThreadResumeParams) -> bool:
    """Whether the thread goes on with the model and effort that its rollout names."""
    named = {"model", "model_reasoning_effort"}.intersection(params.config or ())
    return not (named or params.model or params.model_provider)


def for_fork(host: Host, client: Connection, params: ThreadForkParams, stored: Stored) -> Settings:
    """Raises RpcError.  A fork keeps the source's folder and nothing else (observed)."""
    wanted = overrides(params)
    wanted.cwd = wanted.cwd or stored.cwd
    return _of(host, client, resolve(host.config, wanted))


def _trusts(config: Config, settings: Settings) -> bool:
    writes = not isinstance(settings.sandbox_policy, ReadOnly)
    return writes and config.trust_level(settings.cwd) is None


def _of(host: Host, client: Connection, settings: Settings) -> Settings:
    """The same for this host and this client."""
    assert client.info is not None
    return replace(
        settings,
        originator=client.info.name,
        user_agent=user_agent(host.version, client),
        cli_version=host.version,
        installation_id=installation_id(host.home),
    )


def installation_id(home: Path) -> str:
    """What tells this installation from others: made once and kept in the home (observed)."""
    file = home / "installation_id"
    try:
        return str(uuid.UUID(file.read_text("ascii").strip()))
    except (OSError, ValueError):
        made = str(uuid.uuid4())
    try:
        file.write_text(made, "ascii")
        file.chmod(0o644)
    except OSError as error:
        log.warning("the installation id cannot be kept: %s", error)
    return made
