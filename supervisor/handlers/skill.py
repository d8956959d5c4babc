"""skills/list: what `supervisor.skills` finds, for each folder that a client asks about."""

from pathlib import Path

from msgspec import UnsetType

from protocol.methods import SKILLS_LIST
from protocol.overrides import absolute
from protocol.skill import SkillsListEntry, SkillsListParams, SkillsListResponse
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.host import Host
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
