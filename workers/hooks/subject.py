"""What a hook is told of a call: the tool's name in the words of Claude Code, and its input.

Matchers of hooks are written for these names; a patch goes by those of the tools that it stands
for, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workers.safe import shell_script
from workers.tools.quoting import joined


@dataclass(frozen=True)
class Subject:
    """`names` are what matchers may match, the one that the hook is told first."""

    call_id: str
    names: tuple[str, ...]
    input: Any

    def blocked(self, why: str) -> str:
        """How the model is told that a hook has refused the call."""
        if self.names[0].startswith("mcp__"):
            return f"Tool call blocked by PreToolUse hook: {why}. Tool: {self.names[0]}"
        return f"Command blocked by PreToolUse hook: {why}. Command: {self.input['command']}"


def of_command(call_id: str, argv: Sequence[str], why: str | None = None) -> Subject:
    """`why` is the model's justification, when the user is asked."""
    script = shell_script(list(argv))
    told = {"command": joined(argv) if script is None else script}
    return Subject(call_id, ("Bash",), told if why is None else {**told, "description": why})


def of_patch(call_id: str, text: str) -> Subject:
    return Subject(call_id, ("apply_patch", "Write", "Edit"), {"command": text})


def of_mcp(call_id: str, server: str, tool: str, arguments: Any) -> Subject:
    return Subject(call_id, (f"mcp__{server}__{tool}",), {} if arguments is None else arguments)
