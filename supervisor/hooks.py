"""The hooks of the configuration: programs to be run at certain events, and whether to trust them.

They stand in `hooks.json` beside a config.toml, or under `[hooks]` in it.  A hook is trusted by the
hash of what it would do, so a changed one must be trusted anew.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from protocol.config import ProjectLayer, UserLayer
from protocol.hook import HookEventName, HookMetadata, HookSource, HookTrustStatus
from supervisor.config import Config
from supervisor.layers import Layer, Table, merged

TIMEOUT_SECONDS = 600  # of a hook that says nothing; the reference server's default
EVENTS: dict[str, HookEventName] = {
    "PreToolUse": "preToolUse",
    "PermissionRequest": "permissionRequest",
    "PostToolUse": "postToolUse",
    "PreCompact": "preCompact",
    "PostCompact": "postCompact",
    "SessionStart": "sessionStart",
    "UserPromptSubmit": "userPromptSubmit",
    "Stop": "stop",
}
UNMATCHED = ("UserPromptSubmit", "Stop")  # there is nothing to match; a matcher is passed over


@dataclass
class Found:
    """What there is for one folder; `state` is `[hooks.state]`, by hook key."""

    state: Table
    hooks: list[HookMetadata] = field(default_factory=list[HookMetadata])
    warnings: list[str] = field(default_factory=list[str])

    def add(self, file: Path, source: HookSource, events: Table) -> None:
        for name, event in EVENTS.items():
            for place, group in enumerate(_tables(events.get(name))):
                matcher = None if name in UNMATCHED else group.get("matcher")
                if isinstance(matcher, str) and (problem := _bad_pattern(matcher)):
                    self.warnings.append(f'invalid matcher "{matcher}" in {file}: {problem}')
                    continue
                key = f"{file}:{snake(name)}:{place}"
                for index, handler in enumerate(_tables(group.get("hooks"))):
                    if (reason := _unsupported(handler)) is not None:
                        text = f"skipping {reason} hook in {file}: {reason} hooks are not supported"
                        self.warnings.append(text)
                        continue
                    hook = self._hook(f"{key}:{index}", event, snake(name), matcher, handler)
                    hook.source, hook.source_path = source, str(file)
                    self.hooks.append(hook)

    def _hook(
        self, key: str, event: HookEventName, name: str, matcher: str | None, handler: Table
    ) -> HookMetadata:
        hash = fingerprint(name, matcher, handler)
        state = cast("Table", self.state.get(key) or {})
        return HookMetadata(
            current_hash=hash,
            display_order=len(self.hooks),
            enabled=state.get("enabled", True) is not False,
            event_name=event,
            handler_type="command",
            is_managed=False,
            key=key,
            source="unknown",
            source_path="",
            timeout_sec=_timeout(handler),
            trust_status=_trust(state.get("trusted_hash"), hash),
            command=str(handler.get("command", "")),
            matcher=matcher,
            status_message=handler.get("statusMessage"),
        )


def in_force(config: Config, features: dict[str, bool], cwd: str) -> list[HookMetadata]:
    """Those that are run: the user has trusted them as they are now.  Raises ConfigError."""
    if not features.get("hooks"):
        return []
    found = discover(config, cwd).hooks
    return [hook for hook in found if hook.enabled and hook.trust_status in ("trusted", "managed")]


def discover(config: Config, cwd: str) -> Found:
    """The hooks that hold in a folder, the user's before the project's.  Raises ConfigError.

    A project has no say in what of it is trusted.
    """
    layers = config.layers(cwd)
    rest = [layer for layer in layers if not isinstance(layer.name, ProjectLayer)]
    hooks = cast("Table", merged(rest).get("hooks") or {})
    found = Found(cast("Table", hooks.get("state") or {}))
    for layer in reversed(layers):
        if layer.disabled_reason is None and (place := _place(layer)) is not None:
            folder, source = place
            found.add(folder / "hooks.json", source, _file(folder / "hooks.json", found.warnings))
            own = cast("Table", layer.table.get("hooks") or {})
            found.add(folder / "config.toml", source, own)
    return found


def _place(layer: Layer) -> tuple[Path, HookSource] | None:
    match layer.name:
        case UserLayer(file=file):
            return Path(file).parent, "user"
        case ProjectLayer(dot_codex_folder=folder):
            return Path(folder), "project"
        case _:
            return None


def _file(file: Path, warnings: list[str]) -> Table:
    try:
        content: Any = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        warnings.append(f"failed to parse hooks config {file}: {error}")
        return {}
    events: Any = cast("Table", content).get("hooks") if isinstance(content, dict) else None
    return cast("Table", events) if isinstance(events, dict) else {}


def fingerprint(event: str, matcher: str | None, handler: Table) -> str:
    """`sha256:` of what the hook would do, as sorted compact JSON (observed)."""
    does: Table = {
        "type": "command",
        "command": handler.get("command", ""),
        "timeout": _timeout(handler),
        "async": False,
    }
    if handler.get("statusMessage") is not None:
        does["statusMessage"] = handler["statusMessage"]
    whole: Table = {"event_name": event, "hooks": [does]}
    if matcher is not None:
        whole["matcher"] = matcher
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _tables(value: Any) -> Iterator[Table]:
    for entry in cast("list[Any]", value) if isinstance(value, list) else []:
        yield cast("Table", entry) if isinstance(entry, dict) else {}


def _timeout(handler: Table) -> int:
    seconds = handler.get("timeout")
    return max(seconds, 1) if isinstance(seconds, int) else TIMEOUT_SECONDS


def _unsupported(handler: Table) -> str | None:
    if handler.get("type") != "command":
        return str(handler.get("type"))
    return "async" if handler.get("async") else None


def _trust(trusted_hash: Any, hash: str) -> HookTrustStatus:
    if trusted_hash is None:
        return "untrusted"
    return "trusted" if trusted_hash == hash else "modified"


def _bad_pattern(matcher: str) -> str | None:
    if matcher == "*":  # everything
        return None
    try:
        re.compile(matcher)
    except re.error as error:
        return str(error)
    return None
