"""`apply_patch`: the model changes files by patches, shown to the client as fileChange items.

The order is the client's safety: the whole patch is checked, the item is shown, the user is asked,
and only then is anything written.  What policy forbids without asking never becomes an item.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import trio

from protocol.item import (
    AddChange,
    DeleteChange,
    FileChange,
    FileUpdateChange,
    PatchApplyStatus,
    UpdateChange,
)
from protocol.methods import TURN_DIFF_UPDATED
from protocol.policy import GranularApproval, ReadOnly
from protocol.settings import Settings
from protocol.turn import TurnDiffUpdatedNotification
from sandbox.policy import may_write
from workers.hooks.subject import Subject, of_patch
from workers.judgement import open_sandbox
from workers.tools import Call, Content, Tool, ToolFailure, Turn
from workers.tools.apply import Edit, plan
from workers.tools.diff import unified
from workers.tools.hunk import AddFile, DeleteFile, Patch, PatchError, parse
from workers.tools.write import read_text, write
from workers.widening import widened

DECLINED = "patch rejected by user"
_ADVICE = (
    "A patch has come through {}. Give patches to the apply_patch tool itself, not to a shell."
)

_GRAMMAR = r"""
start: begin hunk+ end
begin: "*** Begin Patch" NEWLINE
end: "*** End Patch" NEWLINE?

hunk: add | delete | update
add: "*** Add File: " TEXT NEWLINE ("+" TEXT? NEWLINE)+
delete: "*** Delete File: " TEXT NEWLINE
update: "*** Update File: " TEXT NEWLINE move? chunk+
move: "*** Move to: " TEXT NEWLINE

chunk: anchor? line+ end_of_file?
anchor: ("@@" | "@@ " TEXT) NEWLINE
line: (" " | "-" | "+") TEXT? NEWLINE
end_of_file: "*** End of File" NEWLINE

TEXT: /[^\n]+/
NEWLINE: "\n"
"""

_DESCRIPTION = """\
Adds, changes, moves and deletes text files.  The input is the patch itself, not JSON.
A patch stands between `*** Begin Patch` and `*** End Patch` and has one section per file:
`*** Add File: PATH` with every line of the file behind a `+`; `*** Delete File: PATH`; or
`*** Update File: PATH`, then `*** Move to: PATH` if it gets a new name, then its changes.
A change shows a few unchanged lines behind a space, removed lines behind `-`, new ones behind `+`,
and no line numbers.  Start each with `@@`, or with `@@ ` and an earlier line of the file, such as
the head of a function, when the unchanged lines alone could mean several places.
Relative paths start at the working directory.  Nothing is written unless all of it applies."""


# Shell commands overlap, but a patch must be fitted to what the one before it has written.
_writing = trio.Lock()


@dataclass(frozen=True)
class _Work:
    """A patch that fits the files as they are now."""

    patch: Patch
    cwd: str
    edits: list[Edit]
    changes: list[FileUpdateChange]


async def serve_patch(
    turn: Turn, call: Subject, text: str, *, cwd: str | None = None, through: str | None = None
) -> Content:
    """Apply a patch and say what it changed; or what hooks have to say of it.

    `cwd` is where its relative paths start, the turn's by default.  `through` is the tool that the
    patch came by, if not by its own: the model is told to mend that.  Raises ToolFailure when the
    patch does not apply or is refused, and TurnAborted when the user ends the turn.
    """
    async with _writing:
        began = trio.current_time()
        success, report = await _applied(
            turn, call.call_id, text, cwd or turn.settings.cwd, through
        )
        seconds = trio.current_time() - began
    told = _REPORTS.get(through, _plain)(report, 0 if success else 1, seconds)
    if not success:
        return told
    return await turn.hooks.after(turn, call, _structured(report, 0, seconds), told)


async def _applied(
    turn: Turn, call_id: str, text: str, cwd: str, through: str | None
) -> tuple[bool, str]:
    work = await trio.to_thread.run_sync(_prepare, text, cwd)
    if through is not None:
        turn.advise(_ADVICE.format(through))
    allowed = _may_write_all(turn, work)
    if not allowed and _never_asks(turn.settings):
        raise ToolFailure(f"patch rejected: {_blocked(turn.settings)}")
    turn.started(_item(call_id, work, "inProgress"))
    work = await _approved(turn, call_id, work, text, roots_ok=allowed)
    success, report = await trio.to_thread.run_sync(_write, work)
    _finish(turn, call_id, work, "completed" if success else "failed", report)
    if success:
        turn.diff.note(work.edits)
        params = TurnDiffUpdatedNotification(turn.diff.text(), turn.thread_id, turn.id)
        turn.tell(TURN_DIFF_UPDATED, params)
    return success, report


def _prepare(text: str, cwd: str) -> _Work:
    try:
        patch = parse(text)
        edits = plan(patch, cwd, read_text)
    except PatchError as error:
        raise ToolFailure(f"apply_patch verification failed: {error}") from None
    if not edits:
        raise ToolFailure("patch rejected: empty patch")
    changes = [_change(edit) for edit in edits]
    return _Work(patch, cwd, edits, sorted(changes, key=lambda change: change.path))


def _change(edit: Edit) -> FileUpdateChange:
    match edit.kind:
        case "add":
            return FileUpdateChange(edit.new or "", AddChange(), edit.path)
        case "delete":
            return FileUpdateChange(edit.old or "", DeleteChange(), edit.path)
        case "update":
            diff = unified(edit.old or "", edit.new or "")
            moved = f"\n\nMoved to: {edit.move_path}" if edit.move_path else ""
            return FileUpdateChange(diff + moved, UpdateChange(edit.move_path), edit.path)


# ---- may it?


def _may_write_all(turn: Turn, work: _Work) -> bool:
    settings = turn.settings
    if open_sandbox(settings):
        return True
    paths = [path for edit in work.edits for path in (edit.path, edit.move_path) if path]
    policy, profile = settings.sandbox_policy, widened(settings, turn.approvals.grants.held(turn))
    return all(may_write(policy, path, settings.cwd, profile=profile) for path in paths)


def _never_asks(settings: Settings) -> bool:
    match settings.approval_policy:
        case GranularApproval(granular=granular):
            return not granular or not granular.sandbox_approval
        case policy:
            return policy == "never"


def _blocked(settings: Settings) -> str:
    read_only = isinstance(settings.sandbox_policy, ReadOnly)
    what = "is blocked by read-only sandbox" if read_only else "outside of the project"
    return f"writing {what}; rejected by user approval settings"


async def _approved(turn: Turn, call_id: str, work: _Work, text: str, *, roots_ok: bool) -> _Work:
    """The patch against the files as they are after the answer, which may take hours."""
    verdict = await turn.approvals.patches.permit(
        turn, of_patch(call_id, text.strip()), work.changes, roots_ok
    )
    if not verdict.allowed:
        message = verdict.message or DECLINED
        _finish(turn, call_id, work, verdict.status, message)
        raise ToolFailure(message)
    if not verdict.asked:
        return work
    try:
        return await trio.to_thread.run_sync(_prepare, text, work.cwd)
    except ToolFailure as failure:
        _finish(turn, call_id, work, "failed", str(failure))
        raise


# ---- what is told


def _write(work: _Work) -> tuple[bool, str]:
    try:
        write(work.edits)
    except PatchError as error:
        return False, f"{error}\n"
    return True, _summary(work.patch)


def _summary(patch: Patch) -> str:
    """The files by what became of them, each as the patch names it."""
    marked: dict[str, list[str]] = {"A": [], "M": [], "D": []}
    for hunk in patch.hunks:
        match hunk:
            case AddFile(path=path):
                marked["A"].append(path)
            case DeleteFile(path=path):
                marked["D"].append(path)
            case _:
                marked["M"].append(hunk.move_to or hunk.path)
    lines = [f"{mark} {path}\n" for mark, paths in marked.items() for path in paths]
    return "Success. Updated the following files:\n" + "".join(lines)


def _item(call_id: str, work: _Work, status: PatchApplyStatus) -> FileChange:
    return FileChange(work.changes, call_id, status)


def _finish(turn: Turn, call_id: str, work: _Work, status: PatchApplyStatus, report: str) -> None:
    """The stored event is what a later session shows the item from (observed keys)."""
    success = status == "completed"
    turn.record(
        {
            "type": "patch_apply_end",
            "call_id": call_id,
            "turn_id": turn.id,
            "stdout": report if success else "",
            "stderr": "" if success else report,
            "success": success,
            "changes": {edit.path: _stored(edit) for edit in work.edits},
            "status": status,
        }
    )
    turn.completed(_item(call_id, work, status))


def _stored(edit: Edit) -> dict[str, Any]:
    if edit.kind == "update":
        diff = unified(edit.old or "", edit.new or "")
        return {"type": "update", "unified_diff": diff, "move_path": edit.move_path}
    return {"type": edit.kind, "content": (edit.old if edit.new is None else edit.new) or ""}


def _plain(report: str, exit_code: int, seconds: float) -> str:
    return f"Exit code: {exit_code}\nWall time: {seconds:.4g} seconds\nOutput:\n{report}"


def _structured(report: str, exit_code: int, seconds: float) -> str:
    metadata = {"exit_code": exit_code, "duration_seconds": round(seconds, 1)}
    return json.dumps({"output": report, "metadata": metadata}, ensure_ascii=False)


def _timed(report: str, exit_code: int, seconds: float) -> str:
    told = _structured(report, exit_code, seconds)
    return f"Wall time: {seconds:.4f} seconds\nOutput:\n{told}"


# The words in which each tool reports, so that a model finds what it knows (observed).
_REPORTS: dict[str | None, Callable[[str, int, float], str]] = {
    "exec_command": _timed,
    "shell_command": _structured,
}


async def _serve(turn: Turn, call: Call) -> Content:
    subject = of_patch(call.id, call.arguments)
    await turn.hooks.before(turn, subject)
    return await serve_patch(turn, subject, call.arguments)


APPLY_PATCH = Tool(
    {
        "type": "custom",
        "name": "apply_patch",
        "description": _DESCRIPTION,
        "format": {"type": "grammar", "syntax": "lark", "definition": _GRAMMAR.strip() + "\n"},
    },
    _serve,
)
