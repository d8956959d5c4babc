"""The feature switches that the reference server knows (release 0.130.0), and how each stands.

Atrio acts on some of them only; the rest are listed so that clients find what they look for and
configurations written for the reference stay valid.  Names, stages and defaults are observed.
"""

from dataclasses import dataclass
from typing import cast

from protocol.config import ExperimentalFeature, ExperimentalFeatureStage
from supervisor.toml import Toml

# What clients may switch for the running process; config/read answers each even if unset.
SETTABLE = (
    "apps",
    "memories",
    "plugins",
    "remote_control",
    "tool_search",
    "tool_suggest",
    "tool_call_mcp_elicitation",
)
# Names that features had once.
ALIASES = {"collab": "multi_agent", "connectors": "apps", "memory_tool": "memories"}
OLD_KEYS = {
    "unified_exec": "experimental_use_unified_exec_tool",
    "apply_patch_freeform": "experimental_use_freeform_apply_patch",
}


@dataclass(frozen=True)
class Feature:
    """The three texts are for features that clients offer to their users."""

    name: str
    stage: ExperimentalFeatureStage
    default: bool
    title: str | None = None
    description: str | None = None
    announcement: str | None = None


# Name, stage and default, in the order that clients see.
_TABLE = """
undo removed off
shell_tool stable on
unified_exec stable on
shell_zsh_fork underDevelopment off
shell_snapshot stable on
js_repl removed off
code_mode underDevelopment off
code_mode_only underDevelopment off
js_repl_tools_only removed off
terminal_resize_reflow beta on
web_search_request deprecated off
web_search_cached deprecated off
search_tool removed off
codex_git_commit underDevelopment off
runtime_metrics underDevelopment off
sqlite removed on
memories beta off
builtin_mcp underDevelopment off
chronicle underDevelopment off
child_agents_md underDevelopment off
apply_patch_freeform underDevelopment off
apply_patch_streaming_events underDevelopment off
exec_permission_approvals underDevelopment off
hooks stable on
request_permissions_tool underDevelopment off
use_linux_sandbox_bwrap removed off
use_legacy_landlock deprecated off
request_rule removed off
experimental_windows_sandbox removed off
elevated_windows_sandbox removed off
remote_models removed off
enable_request_compression stable on
multi_agent stable on
multi_agent_v2 underDevelopment off
enable_fanout underDevelopment off
apps stable on
enable_mcp_apps underDevelopment off
apps_mcp_path_override underDevelopment off
tool_search stable on
tool_search_always_defer_mcp_tools underDevelopment off
unavailable_dummy_tools stable on
tool_suggest stable on
plugins stable on
plugin_hooks underDevelopment off
in_app_browser stable on
browser_use stable on
browser_use_external stable on
computer_use stable on
remote_plugin underDevelopment off
external_migration beta off
image_generation stable on
skill_mcp_dependency_install stable on
skill_env_var_dependency_prompt underDevelopment off
steer removed on
default_mode_request_user_input underDevelopment off
guardian_approval stable on
goals beta off
collaboration_modes removed on
tool_call_mcp_elicitation stable on
auth_elicitation underDevelopment off
personality stable on
artifact underDevelopment off
fast_mode stable on
realtime_conversation underDevelopment off
remote_control underDevelopment off
image_detail_original removed off
tui_app_server removed on
prevent_idle_sleep beta off
workspace_owner_usage_nudge underDevelopment off
responses_websockets removed off
responses_websockets_v2 removed off
responses_websocket_response_processed underDevelopment off
remote_compaction_v2 underDevelopment off
workspace_dependencies stable on
"""
_OFFERED = {
    "terminal_resize_reflow": (
        "Terminal resize reflow",
        "Lay the transcript out anew when the terminal changes its width.",
        "",
    ),
    "memories": (
        "Memories",
        "Keep notes from finished threads and bring them into new ones.",
        "Memories can be tried: notes from one thread help in the next.",
    ),
    "external_migration": (
        "External migration",
        "Offer to take over settings of other coding agents.",
        "",
    ),
    "goals": ("Goals", "Give a thread a goal that it pursues over many turns.", ""),
    "prevent_idle_sleep": (
        "Prevent sleep while running",
        "Keep the computer awake while a thread runs.",
        "Your computer can be kept awake while a thread runs.",
    ),
}


def _row(line: str) -> Feature:
    name, stage, default = line.split()
    stage = cast("ExperimentalFeatureStage", stage)
    return Feature(name, stage, default == "on", *_OFFERED.get(name, ()))


FEATURES = {row.name: row for row in map(_row, _TABLE.split("\n")[1:-1])}


def enabled(
    toml: Toml, switched: dict[str, bool] | None = None, required: dict[str, bool] | None = None
) -> dict[str, bool]:
    """How every feature stands under a configuration; names that we do not know are left out.

    The configuration wins over what clients have `switched`, an administrator over both.
    """
    switches = sorted((toml.features or {}).items(), key=lambda entry: entry[0] not in ALIASES)
    given = {ALIASES.get(name, name): on for name, on in switches if isinstance(on, bool)}
    old = {name: on for name, key in OLD_KEYS.items() if (on := getattr(toml, key)) is not None}
    usual = {name: feature.default for name, feature in FEATURES.items()}
    stand = usual | (switched or {}) | old | given | (required or {})
    return {name: stand[name] for name in FEATURES}


def listed(stand: dict[str, bool]) -> list[ExperimentalFeature]:
    return [
        ExperimentalFeature(
            default_enabled=feature.default,
            enabled=stand[name],
            name=name,
            stage=feature.stage,
            announcement=feature.announcement,
            description=feature.description,
            display_name=feature.title,
        )
        for name, feature in FEATURES.items()
    ]
