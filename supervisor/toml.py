"""What config.toml may say: the keys that the reference server knows, and their types.

Unknown keys are passed over, because newer versions write more than we know.  A known key of the
wrong type is refused by name.  `config/read` answers with these shapes, null where nothing is set.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from protocol.config import NetworkDomainPermission, NetworkUnixSocketPermission, WebSearchMode
from protocol.model import Personality, ReasoningEffort, ReasoningSummary
from protocol.network import NetworkMode
from protocol.policy import ApprovalsReviewer, AskForApproval, Minimum, SandboxMode
from protocol.settings import THREAD_PROCESSES, Limits
from supervisor.layers import Table

Verbosity = Literal["low", "medium", "high"]
ServiceTier = Literal["fast", "flex"]
Bound = Annotated[int, Meta(ge=1)]
TrustLevel = Literal["trusted", "untrusted"]
GRACE_SECONDS = 30 * 60.0  # the reference server's figure, see thread/unsubscribe
MAX_AGENTS = 128  # of all threads; each is a process of some 10 MiB
DOC_BYTES = 32 << 10  # of project instructions; the reference server's default


class Workspace(Struct):
    """`[sandbox_workspace_write]`."""

    writable_roots: list[str] = field(default_factory=list[str])
    network_access: bool = False
    exclude_tmpdir_env_var: bool = False
    exclude_slash_tmp: bool = False


class Tools(Struct):
    web_search: bool | Table | None = None
    view_image: bool | None = None


class History(Struct):
    persistence: Literal["save-all", "none"] = "save-all"
    max_bytes: int | None = None


class ShellEnvironmentPolicy(Struct):
    inherit: Literal["all", "core", "none"] | None = None
    ignore_default_excludes: bool | None = None
    exclude: list[str] | None = None
    set: dict[str, str] | None = None
    include_only: list[str] | None = None
    experimental_use_profile: bool | None = None


class Project(Struct):
    trust_level: TrustLevel | None = None


class Skills(Struct):
    """`[skills]`: each entry of `config` names a skill by `path` or `name`."""

    config: list[Table] = field(default_factory=list[Table])


class Atrio(Struct):
    """`[atrio]`: what the reference server does not know."""

    unload_grace_seconds: float = GRACE_SECONDS
    sandbox_minimum: Minimum = "full"
    feedback_url: str | None = None
    max_agents: int = MAX_AGENTS
    command_memory_bytes: Bound | None = None
    command_processes: Bound | None = None
    thread_memory_bytes: Bound | None = None
    thread_processes: Bound = THREAD_PROCESSES

    @property
    def limits(self) -> Limits:
        return Limits(**{name: getattr(self, name) for name in Limits.__struct_fields__})


class Network(Struct, omit_defaults=True):
    """`[permissions.NAME.network]`; `enabled` alone opens the network, any more manages it."""

    enabled: bool | None = None
    domains: dict[str, NetworkDomainPermission] | None = None
    mode: NetworkMode | None = None
    allow_local_binding: bool | None = None
    proxy_url: str | None = None
    enable_socks5: bool | None = None
    socks_url: str | None = None
    enable_socks5_udp: bool | None = None
    unix_sockets: dict[str, NetworkUnixSocketPermission] | None = None
    allow_upstream_proxy: bool | None = None
    dangerously_allow_non_loopback_proxy: bool | None = None
    dangerously_allow_all_unix_sockets: bool | None = None


class Permission(Struct, omit_defaults=True):
    """`[permissions.NAME]`."""

    filesystem: Table | None = None
    network: Network | None = None


class AutoReview(Struct):
    """`[auto_review]`: what the user wants of the model that reviews approvals."""

    policy: str | None = None


class ProviderToml(Struct):
    """One table of `[model_providers]`; `script` is ours and goes with `wire_api = "scripted"`."""

    name: str = ""
    base_url: str | None = None
    env_key: str | None = None
    env_key_instructions: str | None = None
    experimental_bearer_token: str | None = None
    auth: Table | None = None
    aws: Table | None = None
    wire_api: str = "responses"
    query_params: dict[str, str] | None = None
    http_headers: dict[str, str] | None = None
    env_http_headers: dict[str, str] | None = None
    request_max_retries: int | None = None
    stream_max_retries: int | None = None
    stream_idle_timeout_ms: int | None = None
    websocket_connect_timeout_ms: int | None = None
    requires_openai_auth: bool = False
    supports_websockets: bool = False
    script: str | None = None


class Profile(Struct):
    """One table of `[profiles]`: keys that it may set lie over those of the top level."""

    model: str | None = None
    model_provider: str | None = None
    approval_policy: AskForApproval | None = None
    approvals_reviewer: ApprovalsReviewer | None = None
    service_tier: ServiceTier | None = None
    model_reasoning_effort: ReasoningEffort | None = None
    model_reasoning_summary: ReasoningSummary | None = None
    model_verbosity: Verbosity | None = None
    web_search: WebSearchMode | None = None
    tools: Tools | None = None
    chatgpt_base_url: str | None = None
    model_instructions_file: str | None = None
    include_apply_patch_tool: bool | None = None
    plan_mode_reasoning_effort: ReasoningEffort | None = None
    experimental_use_freeform_apply_patch: bool | None = None
    tools_view_image: bool | None = None
    features: dict[str, Any] | None = None
    tui: Any = None
    sandbox_mode: SandboxMode | None = None
    personality: Personality | None = None
    windows: Any = None
    oss_provider: str | None = None
    model_catalog_json: str | None = None
    js_repl_node_path: str | None = None
    include_environment_context: bool | None = None
    experimental_use_unified_exec_tool: bool | None = None
    analytics: Any = None
    experimental_compact_prompt_file: str | None = None
    zsh_path: str | None = None
    include_permissions_instructions: bool | None = None
    experimental_instructions_file: str | None = None
    include_apps_instructions: bool | None = None
    js_repl_node_module_dirs: list[str] | None = None


class RealtimeToml(Struct):
    """`[realtime]`."""

    version: Literal["v1", "v2"] | None = None
    type: Literal["conversational", "transcription"] | None = None
    transport: Literal["webrtc", "websocket"] | None = None
    voice: str | None = None


class Toml(Struct):
    """The whole of config.toml, one attribute for each key."""

    model: str | None = None
    review_model: str | None = None
    model_context_window: int | None = None
    model_auto_compact_token_limit: int | None = None
    model_provider: str | None = None
    approval_policy: AskForApproval | None = None
    approvals_reviewer: ApprovalsReviewer | None = None
    sandbox_mode: SandboxMode | None = None
    sandbox_workspace_write: Workspace | None = None
    forced_chatgpt_workspace_id: Any = None
    forced_login_method: Literal["chatgpt", "api"] | None = None
    web_search: WebSearchMode | None = None
    tools: Tools | None = None
    profile: str | None = None
    profiles: dict[str, Profile] = field(default_factory=dict[str, Profile])
    instructions: str | None = None
    developer_instructions: str | None = None
    compact_prompt: str | None = None
    model_reasoning_effort: ReasoningEffort | None = None
    model_reasoning_summary: ReasoningSummary | None = None
    model_verbosity: Verbosity | None = None
    service_tier: ServiceTier | None = None
    analytics: Table | None = None
    apps: Table | None = None
    agents: Table | None = None
    allow_login_shell: bool = True
    audio: Table | None = None
    auto_review: AutoReview | None = None
    background_terminal_max_timeout: int | None = None
    chatgpt_base_url: str | None = None
    check_for_update_on_startup: bool | None = None
    cli_auth_credentials_store: str | None = None
    commit_attribution: str | None = None
    debug: Any = None
    default_permissions: str | None = None
    disable_paste_burst: bool | None = None
    experimental_compact_prompt_file: str | None = None
    experimental_instructions_file: str | None = None
    experimental_realtime_start_instructions: str | None = None
    experimental_realtime_ws_backend_prompt: str | None = None
    experimental_realtime_ws_base_url: str | None = None
    experimental_realtime_ws_model: str | None = None
    experimental_realtime_ws_startup_context: str | None = None
    experimental_thread_config_endpoint: str | None = None
    experimental_thread_store: Any = None
    experimental_thread_store_endpoint: str | None = None
    experimental_use_freeform_apply_patch: bool | None = None
    experimental_use_unified_exec_tool: bool | None = None
    features: dict[str, Any] | None = None
    feedback: Table | None = None
    file_opener: str | None = None
    ghost_snapshot: Table | None = None
    hide_agent_reasoning: bool = False
    history: History = field(default_factory=History)
    hooks: Table | None = None
    include_apps_instructions: bool | None = None
    include_environment_context: bool | None = None
    include_permissions_instructions: bool | None = None
    js_repl_node_module_dirs: list[str] | None = None
    js_repl_node_path: str | None = None
    log_dir: str | None = None
    marketplaces: Table = field(default_factory=Table)
    mcp_oauth_callback_port: int | None = None
    mcp_oauth_callback_url: str | None = None
    mcp_oauth_credentials_store: str | None = None
    mcp_servers: dict[str, Table] = field(default_factory=dict[str, Table])
    memories: Table | None = None
    model_catalog_json: str | None = None
    model_instructions_file: str | None = None
    model_providers: dict[str, ProviderToml] = field(default_factory=dict[str, ProviderToml])
    model_supports_reasoning_summaries: bool | None = None
    notice: Table | None = None
    notify: list[str] | None = None
    openai_base_url: str | None = None
    oss_provider: str | None = None
    otel: Table | None = None
    permissions: dict[str, Permission] | None = None
    personality: Personality | None = None
    plan_mode_reasoning_effort: ReasoningEffort | None = None
    plugins: Table = field(default_factory=Table)
    project_doc_fallback_filenames: list[str] = field(default_factory=list[str])
    project_doc_max_bytes: int = DOC_BYTES
    project_root_markers: list[str] | None = None
    projects: dict[str, Project] | None = None
    realtime: RealtimeToml | None = None
    shell_environment_policy: ShellEnvironmentPolicy = field(default_factory=ShellEnvironmentPolicy)
    show_raw_agent_reasoning: bool | None = None
    skills: Skills | None = None
    sqlite_home: str | None = None
    suppress_unstable_features_warning: bool | None = None
    tool_output_token_limit: int | None = None
    tool_suggest: Any = None
    tui: Table | None = None
    windows: Table | None = None
    windows_wsl_setup_acknowledged: bool | None = None
    zsh_path: str | None = None
    atrio: Atrio | None = None
