"""What a hook has to say: by its exit code and stderr, or in JSON on stdout.

Exit 0 agrees, exit 2 objects for the reason on stderr, anything else is the hook's own failure,
which stops nothing.  What an event has no use for is named as an error rather than passed over:
whoever wrote the hook counts on it.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from msgspec import Struct

from protocol.errors import DECODE_ERRORS
from protocol.hook import HookEventName, HookOutputEntry, HookOutputEntryKind, HookRunStatus
from workers.hooks.program import Ran
from workers.tools.output import shown

CONTEXT_TOKENS = 2500  # of one text of a hook; the reference server's bound (observed)
TITLES: dict[HookEventName, str] = {
    "preToolUse": "PreToolUse",
    "permissionRequest": "PermissionRequest",
    "postToolUse": "PostToolUse",
    "preCompact": "PreCompact",
    "postCompact": "PostCompact",
    "sessionStart": "SessionStart",
    "userPromptSubmit": "UserPromptSubmit",
    "stop": "Stop",
}
# What exit code 2 needs on stderr, where it is an objection.
_OBJECTIONS: dict[HookEventName, str] = {
    "preToolUse": "a blocking reason",
    "permissionRequest": "a denial reason",
    "postToolUse": "feedback",
    "userPromptSubmit": "a blocking reason",
    "stop": "a continuation prompt",
}
_KINDS: dict[HookEventName, str] = {
    "preToolUse": "pre-tool-use",
    "permissionRequest": "permission-request",
    "postToolUse": "post-tool-use",
    "preCompact": "PreCompact",
    "postCompact": "PostCompact",
    "sessionStart": "session start",
    "userPromptSubmit": "user prompt submit",
    "stop": "stop hook",
}
_STOPPING = ("postToolUse", "preCompact", "postCompact")  # stop with a reason, if of our own
_UNSTOPPABLE = ("preToolUse", "permissionRequest")
_COMPACTING = ("preCompact", "postCompact")


@dataclass
class Effect:
    """What one hook has said, or all of one event together.

    `contexts` are for the model.  `objections` are reasons: against the prompt, the call, its
    output, or the end of the turn.
    """

    status: HookRunStatus = "completed"
    entries: list[HookOutputEntry] = field(default_factory=list[HookOutputEntry])
    contexts: list[str] = field(default_factory=list[str])
    objections: list[str] = field(default_factory=list[str])
    stops: bool = False
    allows: bool = False

    def note(self, kind: HookOutputEntryKind, text: str) -> None:
        self.entries.append(HookOutputEntry(kind, text))

    def object(self, reason: str, status: HookRunStatus = "blocked") -> None:
        self.status = status
        self.note("feedback", reason)
        self.objections.append(reason)

    def fail(self, why: str) -> "Effect":
        self.status = "failed"
        self.note("error", why)
        return self

    def context(self, text: str) -> None:
        self.contexts.append(shown(text, CONTEXT_TOKENS))
        self.note("context", self.contexts[-1])


class Decision(Struct, rename="camel"):
    """Of a PermissionRequest hook."""

    behavior: Literal["allow", "deny"]
    message: str | None = None
    updated_input: Any = None
    updated_permissions: Any = None
    interrupt: bool = False


class Specific(Struct, rename="camel"):
    """`hookSpecificOutput`: what only some events have."""

    hook_event_name: str | None = None
    additional_context: str | None = None
    permission_decision: Literal["allow", "deny", "ask"] | None = None
    permission_decision_reason: str | None = None
    updated_input: Any = None
    updated_mcp_tool_output: Any = msgspec.field(name="updatedMCPToolOutput", default=None)
    decision: Decision | None = None


class Said(Struct, rename="camel", forbid_unknown_fields=True):
    go_on: bool = msgspec.field(name="continue", default=True)
    stop_reason: str | None = None
    suppress_output: bool = False
    system_message: str | None = None
    decision: Literal["approve", "block"] | None = None
    reason: str | None = None
    hook_specific_output: Specific | None = None

    @property
    def specific(self) -> Specific:
        return self.hook_specific_output or Specific()


_decode = msgspec.json.Decoder(Said).decode


def understood(event: HookEventName, ran: Ran) -> Effect:
    """What the run of a hook amounts to."""
    effect, title, reason = Effect(), TITLES[event], ran.stderr.strip()
    if ran.problem is not None:
        return effect.fail(ran.problem)
    match ran.code:
        case 0:
            return _heard(event, ran.stdout.strip(), effect)
        case None:
            return effect.fail("hook exited without a status code")
        case 2 if event in _OBJECTIONS and reason:
            effect.object(reason, "completed" if event == "postToolUse" else "blocked")
            return effect
        case 2 if event in _OBJECTIONS:
            what = _OBJECTIONS[event]
            return effect.fail(
                f"{title} hook exited with code 2 but did not write {what} to stderr"
            )
        case code:
            plain = f"hook exited with code {code}"
            return effect.fail((event in _COMPACTING and reason) or plain)


def _heard(event: HookEventName, text: str, effect: Effect) -> Effect:
    if not text:
        return effect
    try:
        return _weighed(event, _decode(text), effect)
    except DECODE_ERRORS:
        if event == "stop" or text.startswith(("{", "[")):
            return effect.fail(f"hook returned invalid {_KINDS[event]} JSON output")
    if event in ("sessionStart", "userPromptSubmit"):
        effect.context(text)
    return effect


def _weighed(event: HookEventName, said: Said, effect: Effect) -> Effect:
    problem = _problem(event, said)
    if said.system_message:
        effect.note("warning", said.system_message)
    if said.specific.additional_context and problem is None:
        effect.context(said.specific.additional_context)
    if not said.go_on and event not in _UNSTOPPABLE:
        _stop(event, said, effect)
    elif problem is not None:
        effect.fail(problem)
    elif (reason := _objection(event, said)) is not None:
        effect.object(reason)
    elif said.specific.decision is not None:
        effect.allows = said.specific.decision.behavior == "allow"
    return effect


def _stop(event: HookEventName, said: Said, effect: Effect) -> None:
    effect.status, effect.stops = "stopped", True
    why = said.stop_reason or (
        f"{TITLES[event]} hook stopped execution" if event in _STOPPING else None
    )
    if why is not None:
        effect.note("stop", why)
    if event == "postToolUse":
        effect.objections.append((said.reason or "").strip() or why or "")


def _objection(event: HookEventName, said: Said) -> str | None:
    specific = said.specific
    if specific.decision is not None and specific.decision.behavior == "deny":
        message = (specific.decision.message or "").strip()
        return message or "PermissionRequest hook denied approval"
    if event == "preToolUse" and specific.permission_decision == "deny":
        return (specific.permission_decision_reason or "").strip()
    return said.reason if said.decision == "block" else None


# ---- what an event has no use for


def _problem(event: HookEventName, said: Said) -> str | None:
    title = TITLES[event]
    for name, is_there in _unsupported(event, said):
        if is_there:
            return f"{title} hook returned unsupported {name}"
    reason = (said.reason or "").strip()
    if said.decision == "block" and not reason:
        return f"{title} hook returned decision:block without a non-empty reason"
    if event == "preToolUse":
        return _bad_permission(said)
    if event == "postToolUse" and said.reason is not None and said.decision is None and said.go_on:
        return f"{title} hook returned reason without decision"
    return None


def _unsupported(event: HookEventName, said: Said) -> list[tuple[str, bool]]:
    specific, decision = said.specific, said.specific.decision
    rewrites = specific.updated_input is not None or (
        decision is not None and decision.updated_input is not None
    )
    found = [("decision:approve", said.decision == "approve"), ("updatedInput", rewrites)]
    if event in _UNSTOPPABLE:
        found = [
            ("continue:false", not said.go_on),
            ("stopReason", said.stop_reason is not None),
            ("suppressOutput", said.suppress_output),
            *found,
        ]
    if event == "postToolUse":
        found.append(("suppressOutput", said.suppress_output))
        found.append(("updatedMCPToolOutput", specific.updated_mcp_tool_output is not None))
    if decision is not None:
        found.append(("updatedPermissions", decision.updated_permissions is not None))
        found.append(("interrupt:true", decision.interrupt))
    if event == "preToolUse":
        for word in ("allow", "ask"):
            found.append((f"permissionDecision:{word}", specific.permission_decision == word))
    return found


def _bad_permission(said: Said) -> str | None:
    specific = said.specific
    reason = (specific.permission_decision_reason or "").strip()
    if specific.permission_decision == "deny" and not reason:
        return (
            "PreToolUse hook returned permissionDecision:deny "
            "without a non-empty permissionDecisionReason"
        )
    if specific.permission_decision is None and specific.permission_decision_reason is not None:
        return "PreToolUse hook returned permissionDecisionReason without permissionDecision"
    if specific.permission_decision is None and said.reason is not None and said.decision is None:
        return "PreToolUse hook returned reason without decision"
    return None
