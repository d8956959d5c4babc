"""skills/*: what `supervisor.skills` finds, and which of it is switched off."""

import os
from functools import partial
from pathlib import Path

from msgspec import UnsetType

from protocol.errors import INVALID_PARAMS, RpcError, invalid
from protocol.methods import SKILLS_CONFIG_WRITE, SKILLS_LIST
from protocol.overrides import RELATIVE, absolute
from protocol.skill import (
    SkillsConfigWriteParams,
    SkillsConfigWriteResponse,
    SkillsListEntry,
    SkillsListParams,
    SkillsListResponse,
)
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.host import Host
from supervisor.rewriting import rewrite
from supervisor.skills import discover


@serves(SKILLS_LIST)
def skills_list(host: Host, _client: Connection, params: SkillsListParams) -> SkillsListResponse:
    """Without folders the server's own is meant.  Nothing is cached that a reload would renew."""
    return SkillsListResponse([_entry(host, cwd) for cwd in cwds(params.cwds)])


def cwds(given: list[str] | UnsetType) -> list[str]:
    """The folders that a client asks about, in its own spelling."""
    return ([] if isinstance(given, UnsetType) else given) or [str(Path.cwd())]


def _entry(host: Host, cwd: str) -> SkillsListEntry:
    skills, errors = discover(host.config, absolute(cwd, str(Path.cwd())))
    return SkillsListEntry(cwd, errors, skills)


@serves(SKILLS_CONFIG_WRITE)
async def skills_config_write(
    host: Host, _client: Connection, params: SkillsConfigWriteParams
) -> SkillsConfigWriteResponse:
    """Whether there is such a skill does not matter: it may come (observed)."""
    if params.path is not None and not os.path.isabs(params.path):  # noqa: PTH117
        raise invalid(RELATIVE)
    if bool(params.path) == bool(params.name):
        message = "skills/config/write requires exactly one of path or name"
        raise RpcError(INVALID_PARAMS, message)
    await rewrite(host.config, partial(_switched, params))
    return SkillsConfigWriteResponse(params.enabled)


def _switched(params: SkillsConfigWriteParams, text: str) -> str:
    from supervisor.skill_rules import switched  # noqa: PLC0415 - tomlkit costs 15 ms

    if params.path is not None:
        return switched(text, "path", params.path, enabled=params.enabled)
    return switched(text, "name", params.name or "", enabled=params.enabled)
