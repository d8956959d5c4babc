"""What a thread runs with: the configuration after every layer and override has spoken.

The supervisor resolves it, the worker obeys it.  It travels in the spawn spec only; no client
ever sees it as a whole.
"""

from typing import Any, Literal

from msgspec import Struct, field

from protocol.agent import AgentSettings
from protocol.config import DeprecationNoticeNotification
from protocol.hook import HookMetadata
from protocol.model import CollaborationMode, Personality, ReasoningEffort, ReasoningSummary
from protocol.network import ManagedNetwork
from protocol.policy import (
    ActivePermissionProfile,
    ApprovalsReviewer,
    AskForApproval,
    DangerFullAccess,
    PermissionProfile,
    SandboxMode,
    SandboxPolicy,
)

IDLE_TIMEOUT_MS = 300_000  # of a silent model stream; the reference server's default
THREAD_PROCESSES = 4096  # and threads of them: more than any build needs, less than hurts a host


class Provider(Struct):
    """One entry of `model_providers`, plus the bearer token that goes with it.

    `wire_api` is `responses` for HTTP, or `scripted` for the embedded provider that plays the
    script at `script`.
    """

    id: str
    name: str
    base_url: str = "https://api.openai.com/v1"
    wire_api: Literal["responses", "scripted"] = "responses"
    env_key: str | None = None
    env_key_instructions: str | None = None
    bearer_token: str | None = None
    uses_login: bool = False
    """Whether the token is that of the host's login, which can be renewed."""
    http_headers: dict[str, str] = field(default_factory=dict[str, str])
    env_http_headers: dict[str, str] = field(default_factory=dict[str, str])
    query_params: dict[str, str] = field(default_factory=dict[str, str])
    request_max_retries: int = 4
    stream_max_retries: int = 5
    stream_idle_timeout_ms: int = IDLE_TIMEOUT_MS
    requires_openai_auth: bool = False
    script: str | None = None


class ShellEnvironment(Struct):
    """`[shell_environment_policy]`: which variables a command of the model sees."""

    inherit: Literal["all", "core", "none"] = "all"
    ignore_default_excludes: bool = True
    exclude: list[str] = field(default_factory=list[str])
    set: dict[str, str] = field(default_factory=dict[str, str])
    include_only: list[str] = field(default_factory=list[str])
    experimental_use_profile: bool = False


class Limits(Struct, frozen=True):
    """Bounds of `[atrio]`: for each command, and for all commands of a thread together."""

    command_memory_bytes: int | None = None
    command_processes: int | None = None
    thread_memory_bytes: int | None = None
    thread_processes: int = THREAD_PROCESSES


class Allowed(Struct, frozen=True):
    """What the settings of a thread may be; None where an administrator says nothing.

    `source` is the file that says so.
    """

    source: str = ""
    approval_policies: list[AskForApproval] | None = None
    approvals_reviewers: list[ApprovalsReviewer] | None = None
    sandbox_modes: list[SandboxMode] | None = None
    web_search_modes: list[Literal["disabled", "cached", "live"]] | None = None


class Realtime(Struct):
    """How a thread is talked with by voice; without `base_url` the provider of its model is asked.

    `type` is a conversation, or the mere transcription of what is said.
    """

    base_url: str | None = None
    model: str = "gpt-realtime-1.5"
    version: Literal["v1", "v2"] = "v2"
    type: Literal["conversational", "transcription"] = "conversational"
    voice: str | None = None
    prompt: str | None = None
    startup_context: str | None = None
    start_instructions: str | None = None


McpApproval = Literal["auto", "prompt", "approve"]
"""When a tool is asked about: by what it says of itself, always, never."""


class AppTool(Struct):
    """`[apps.ID.tools.NAME]`."""

    enabled: bool | None = None
    approval_mode: McpApproval | None = None


class App(Struct):
    """`[apps.ID]`, or `[apps._default]` for those that have no word of their own."""

    enabled: bool = True
    destructive_enabled: bool | None = None
    open_world_enabled: bool | None = None
    default_tools_enabled: bool = True
    default_tools_approval_mode: McpApproval | None = None
    tools: dict[str, AppTool] = field(default_factory=dict[str, AppTool])


def app_of(apps: dict[str, App], id: str) -> App:
    """What holds for an app: its own word, else that for all."""
    return apps.get(id) or apps.get("_default") or App()


class McpServer(Struct, kw_only=True):
    """One entry of `mcp_servers`: a program (`command`), or an address (`url`).

    `env_vars` are names to pass on; the `*_env_*` fields name variables of the server's process.
    """

    command: str | None = None
    args: list[str] = field(default_factory=list[str])
    env: dict[str, str] = field(default_factory=dict[str, str])
    env_vars: list[str] = field(default_factory=list[str])
    cwd: str | None = None
    url: str | None = None
    bearer_token_env_var: str | None = None
    http_headers: dict[str, str] = field(default_factory=dict[str, str])
    env_http_headers: dict[str, str] = field(default_factory=dict[str, str])
    scopes: list[str] | None = None
    oauth_resource: str | None = None
    enabled: bool = True
    required: bool = False
    startup_timeout_sec: float = 10.0
    tool_timeout_sec: float = 120.0
    enabled_tools: list[str] | None = None
    disabled_tools: list[str] = field(default_factory=list[str])
    supports_parallel_tool_calls: bool = False
    default_tools_approval_mode: McpApproval | None = None
    approval_modes: dict[str, McpApproval] = field(default_factory=dict[str, McpApproval])
    """Of single tools, by name."""
    apps: dict[str, App] | None = None
    """Of the one server that lends the tools of ChatGPT's apps: what the user says of each."""

    def allows(self, tool: str) -> bool:
        """Whether the configuration lets this tool be used."""
        named = self.enabled_tools is None or tool in self.enabled_tools
        return named and tool not in self.disabled_tools


class Settings(Struct, kw_only=True):
    """Everything that one thread needs to know.  `cwd` is absolute."""

    home: str
    cwd: str
    has_environment: bool = True
    """Whether there is a place to work in: without one there are no commands and no files."""
    model: str
    provider: Provider
    review_model: str | None = None
    """Who reviews; the thread's own model unless named."""
    approval_policy: AskForApproval = "on-request"
    approvals_reviewer: ApprovalsReviewer = "user"
    guardian_policy: str | None = None
    """What the user wants of a reviewing model, beside our own policy."""
    sandbox_policy: SandboxPolicy = field(default_factory=DangerFullAccess)
    permission_profile: PermissionProfile | None = None
    active_permission_profile: ActivePermissionProfile | None = None
    permission_profiles: dict[str, PermissionProfile] = field(
        default_factory=dict[str, PermissionProfile]
    )
    """The profiles of the configuration, by id; a turn may pick one."""
    rules_folders: list[str] = field(default_factory=list[str])
    """Where others than the user have rules about commands: the host, and a trusted project."""
    networks: dict[str, ManagedNetwork] = field(default_factory=dict[str, ManagedNetwork])
    """Of the profiles whose network is managed, by id."""
    effort: ReasoningEffort | None = None
    summary: ReasoningSummary | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    personality: Personality | None = None
    service_tier: str | None = None
    context_window: int | None = None
    auto_compact_token_limit: int | None = None
    base_instructions: str | None = None
    developer_instructions: str | None = None
    compact_prompt: str | None = None
    notices: list[DeprecationNoticeNotification] = field(
        default_factory=list[DeprecationNoticeNotification]
    )
    """What whoever loads the thread should hear of old settings."""
    features: dict[str, bool] = field(default_factory=dict[str, bool])
    shell_environment: ShellEnvironment = field(default_factory=ShellEnvironment)
    limits: Limits = field(default_factory=Limits)
    project_doc_max_bytes: int = 32 << 10
    project_doc_fallback_filenames: list[str] = field(default_factory=list[str])
    project_root_markers: list[str] = field(default_factory=lambda: [".git"])
    web_search: Literal["disabled", "cached", "live"] = "cached"
    originator: str = "atrio"
    user_agent: str = "atrio"
    cli_version: str = "0.0.0"
    installation_id: str = ""
    skills: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    collaboration_mode: CollaborationMode | None = None
    agents: AgentSettings = field(default_factory=AgentSettings)
    allowed: Allowed = field(default_factory=Allowed)
    mcp_servers: dict[str, McpServer] = field(default_factory=dict[str, McpServer])
    notify: list[str] = field(default_factory=list[str])
    """A program to be told of turns that have ended, and its first arguments."""
    realtime: Realtime = field(default_factory=Realtime)
    hooks: list[HookMetadata] = field(default_factory=list[HookMetadata])
    """Those that are to be run: enabled, and trusted."""

    def feature(self, name: str, default: bool = False) -> bool:
        return self.features.get(name, default)

    @property
    def network(self) -> ManagedNetwork | None:
        """The managed network of the profile in force, if it has one."""
        active = self.active_permission_profile
        return None if active is None else self.networks.get(active.id)
