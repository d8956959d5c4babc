from typing import Literal

from msgspec import UNSET, UnsetType

from protocol.wire import Wire


class SkillsListParams(Wire):
    cwds: list[str] | UnsetType = UNSET
    force_reload: bool | UnsetType = UNSET


class SkillErrorInfo(Wire):
    message: str
    path: str


class SkillToolDependency(Wire):
    type: str
    value: str
    command: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    transport: str | UnsetType | None = UNSET
    url: str | UnsetType | None = UNSET


class SkillDependencies(Wire):
    tools: list[SkillToolDependency]


class SkillInterface(Wire):
    brand_color: str | None = None
    default_prompt: str | None = None
    display_name: str | None = None
    icon_large: str | None = None
    icon_small: str | None = None
    short_description: str | None = None


SkillScope = Literal["user", "repo", "system", "admin"]


class SkillMetadata(Wire):
    description: str
    enabled: bool
    name: str
    path: str
    scope: SkillScope
    dependencies: SkillDependencies | UnsetType | None = UNSET
    interface: SkillInterface | UnsetType | None = UNSET
    short_description: str | UnsetType | None = UNSET


class SkillsListEntry(Wire):
    cwd: str
    errors: list[SkillErrorInfo]
    skills: list[SkillMetadata]


class SkillsListResponse(Wire):
    data: list[SkillsListEntry]


class SkillsConfigWriteParams(Wire):
    """One of `path`, which is absolute, and `name`."""

    enabled: bool
    name: str | None = None
    path: str | None = None


class SkillsConfigWriteResponse(Wire):
    effective_enabled: bool


class SkillsChangedNotification(Wire):
    """Ask for the list again."""
