"""What is to be done about a command, before anybody is asked: allow it, ask, or forbid it.

Pure: settings, rules and the command go in.  Every plain command of a script is judged by the rules
and, where none applies, by the approval policy; the strictest judgement counts for all.
"""

from dataclasses import dataclass

from protocol.policy import (
    AskForApproval,
    DangerFullAccess,
    DisabledPermissions,
    ExternalPermissions,
    ExternalSandbox,
    GranularApproval,
    ManagedPermissions,
)
from protocol.settings import Settings
from workers.bash import heredoc_command, plain_commands
from workers.rules import Rules
from workers.rulesfile import STRICTNESS, Decision, Rule
from workers.safe import dangerous, known_safe, shell_script

# As a prefix each of these would allow any program at all, or most of what one could do.
_TOO_WIDE = {
    *(
        "awk",
        "bash",
        "busybox",
        "dash",
        "env",
        "find",
        "fish",
        "git",
        "ksh",
        "lua",
        "node",
        "nodejs",
    ),
    *("npx", "osascript", "perl", "php", "pwsh", "pypy", "python", "python3", "ruby", "sh", "ssh"),
    *("sudo", "time", "uv", "xargs", "zsh"),
}


@dataclass(frozen=True)
class Judgement:
    """`reason` is for the user when asked, for the model when forbidden.

    `unsandboxed` is set when rules allow the whole command, `proposal` is the prefix that the user
    may allow for good.
    """

    decision: Decision
    reason: str | None = None
    proposal: list[str] | None = None
    unsandboxed: bool = False


@dataclass(frozen=True)
class _Part:
    """One command of the script, with the rule that decided it, if one did."""

    argv: list[str]
    decision: Decision
    rule: Rule | None


def open_sandbox(settings: Settings) -> bool:
    """Whether commands run without a sandbox of ours anyway."""
    match settings.permission_profile:
        case DisabledPermissions() | ExternalPermissions():
            return True
        case ManagedPermissions():
            return False
        case None:
            return isinstance(settings.sandbox_policy, DangerFullAccess | ExternalSandbox)


def asks_to_retry(policy: AskForApproval) -> bool:
    """Whether a command that the sandbox stopped may be run again without it."""
    match policy:
        case GranularApproval(granular=granular):
            return bool(granular) and granular.sandbox_approval
        case _:
            return policy in ("untrusted", "on-failure")


def judge(
    settings: Settings,
    rules: Rules,
    argv: list[str],
    display: str,
    *,
    escalated: bool = False,
    wider: bool = False,
    prefix: list[str] | None = None,
) -> Judgement:
    """The model wants the command to run without its sandbox (`escalated`), or in a wider one.

    `prefix` is the prefix that it proposes to allow.
    """
    commands, simple = _commands(argv)
    more = escalated or wider
    parts = [_part(settings, rules, c, more=more, simple=simple) for c in commands]
    decision = _strictest([part.decision for part in parts])
    deciding = [part for part in parts if part.decision == decision]
    rule = next((part.rule for part in deciding if part.rule), None)
    match decision:
        case "forbidden":
            return Judgement(decision, f"`{display}` rejected: {_why_forbidden(rule)}")
        case "prompt":
            if refusal := _unaskable(settings.approval_policy, by_rule=rule is not None):
                return Judgement("forbidden", refusal)
            reason = _why_asked(display, rule) if rule else None
            proposal = _proposal(parts, deciding, prefix) if simple and not rule else None
            return Judgement(decision, reason, proposal)
        case "allow":
            ruled = [part for part in parts if part.rule]
            return Judgement(
                decision,
                proposal=_words(deciding[0].argv) if simple and not ruled else None,
                unsandboxed=len(ruled) == len(parts) or (escalated and bool(ruled)),
            )


def _strictest(decisions: list[Decision]) -> Decision:
    return max(decisions, key=lambda decision: STRICTNESS[decision])


def _commands(argv: list[str]) -> tuple[list[list[str]], bool]:
    """The commands to judge, and whether their words are all that there is to them."""
    script = shell_script(argv)
    if script is not None:
        if commands := plain_commands(script):
            return commands, True
        if command := heredoc_command(script):
            return [command], False
    return [argv], True


def _part(settings: Settings, rules: Rules, argv: list[str], *, more: bool, simple: bool) -> _Part:
    if rule := rules.match(argv):
        return _Part(argv, rule.decision, rule)
    if simple and known_safe(argv):
        return _Part(argv, "allow", None)
    return _Part(argv, _by_policy(settings, argv, more=more), None)


def _by_policy(settings: Settings, argv: list[str], *, more: bool) -> Decision:
    unconfined, policy = open_sandbox(settings), settings.approval_policy
    if dangerous(argv):
        if policy == "never":
            return "allow" if unconfined else "forbidden"
        return "prompt"
    match policy:
        case "untrusted":
            return "prompt"
        case "never" | "on-failure":
            return "allow"
        case _:
            return "prompt" if more and not unconfined else "allow"


def _unaskable(policy: AskForApproval, *, by_rule: bool) -> str | None:
    match policy:
        case "never":
            return "approval required by policy, but AskForApproval is set to Never"
        case GranularApproval(granular=granular) if granular:
            if by_rule and not granular.rules:
                return (
                    "approval required by policy rule, but AskForApproval::Granular.rules is false"
                )
            if not by_rule and not granular.sandbox_approval:
                return (
                    "approval required by policy, "
                    "but AskForApproval::Granular.sandbox_approval is false"
                )
        case _:
            pass
    return None


def _why_forbidden(rule: Rule | None) -> str:
    if rule is None:
        return "blocked by policy"
    return rule.justification or f"policy forbids commands starting with `{_beginning(rule)}`"


def _why_asked(display: str, rule: Rule) -> str:
    if rule.justification:
        return f"`{display}` requires approval: {rule.justification}"
    return f"`{display}` requires approval by policy"


def _beginning(rule: Rule) -> str:
    return " ".join("|".join(words) for words in rule.pattern)


def _proposal(parts: list[_Part], asked: list[_Part], prefix: list[str] | None) -> list[str]:
    """The model's prefix if it is narrow and would settle the whole command, else the command."""
    if prefix and not _too_wide(prefix):
        rule = Rule(tuple((word,) for word in prefix))
        if all(rule.begins(part.argv) for part in asked) and not any(part.rule for part in parts):
            return prefix
    return _words(asked[0].argv)


def _too_wide(prefix: list[str]) -> bool:
    program = prefix[0].rsplit("/", 1)[-1]
    # `python3 -c` is as wide as `python3`; `git status` is not as wide as `git`.
    return program in _TOO_WIDE and all(word.startswith("-") for word in prefix[1:])


def _words(argv: list[str]) -> list[str]:
    return [str(word) for word in argv]
