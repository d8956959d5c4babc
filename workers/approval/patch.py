"""Patches: the question about one, and for which files it was answered for the session."""

import os
from pathlib import Path

import msgspec

from protocol.approval import FileChangeRequestApprovalParams
from protocol.errors import DECODE_ERRORS
from protocol.grant import allows
from protocol.guardian import ReviewedPatch
from protocol.item import FileUpdateChange, UpdateChange
from protocol.methods import FILE_CHANGE_APPROVAL
from protocol.policy import ExactPath, GranularApproval, ReadOnly
from protocol.profile import entry
from protocol.settings import Settings
from workers.approval.hooked import ruled
from workers.approval.permission import Grants
from workers.approval.review import ReviewRequest
from workers.approval.verdict import Verdict, now_ms
from workers.hooks.subject import Subject
from workers.judgement import open_sandbox
from workers.tools import Turn, TurnAborted, Unasked
from workers.widening import places, standing

REJECTED = "patch rejected by user"


class PatchApprovals:
    def __init__(self, grants: Grants) -> None:
        self._grants = grants
        self._files: set[str] = set()  # of the patches that were accepted for the session

    async def permit(
        self, turn: Turn, call: Subject, changes: list[FileUpdateChange], roots_ok: bool
    ) -> Verdict:
        """May this call be made?

        `roots_ok` says that the sandbox lets every file be written, by itself or widened.

        Raises TurnAborted on `cancel`.
        """
        settings = turn.settings
        files = _files(changes, settings.cwd)
        confined = not roots_ok and not open_sandbox(settings)
        strict = self._grants.strict(turn)
        asks = settings.approval_policy == "untrusted" and not self._granted(turn, files)
        if not asks and not confined and not strict:
            return Verdict(allowed=True)
        if refusal := _patch_refusal(settings):
            return Verdict(allowed=False, message=refusal)
        if ruling := await ruled(turn, call):
            return ruling
        if self._grants.reviewed(turn):
            return await turn.review(_to_review(settings, call.call_id, changes, files))
        if files <= self._files:
            return Verdict(allowed=True, agreed=True)
        params = FileChangeRequestApprovalParams(
            item_id=call.call_id, started_at_ms=now_ms(), thread_id=turn.thread_id, turn_id=turn.id
        )
        try:
            answer = await turn.ask(FILE_CHANGE_APPROVAL, params)
        except Unasked:
            return Verdict(allowed=False, message=REJECTED, status="failed", asked=True)
        except DECODE_ERRORS:
            return Verdict(allowed=False, message=REJECTED, asked=True)
        match answer.decision:
            case "cancel":
                raise TurnAborted
            case "decline":
                return Verdict(allowed=False, message=REJECTED, asked=True)
            case "acceptForSession":
                self._files |= files
            case "accept":
                pass
        return Verdict(allowed=True, asked=True, agreed=True)

    def _granted(self, turn: Turn, files: set[str]) -> bool:
        """Whether the user has granted writing every one of them."""
        held, at = self._grants.held(turn), places(turn.settings)
        real = (entry(ExactPath(os.path.realpath(file)), "write") for file in files)
        return bool(held) and all(allows(standing(held), one, at) for one in real)


def _to_review(
    settings: Settings, call_id: str, changes: list[FileUpdateChange], files: set[str]
) -> ReviewRequest:
    names = sorted(files)
    planned = {
        "tool": "apply_patch",
        "cwd": settings.cwd,
        "files": names,
        "changes": msgspec.to_builtins(changes),
    }
    return ReviewRequest(ReviewedPatch(settings.cwd, names), planned, call_id)


def _files(changes: list[FileUpdateChange], cwd: str) -> set[str]:
    paths = [change.path for change in changes]
    paths += [
        change.kind.move_path
        for change in changes
        if isinstance(change.kind, UpdateChange) and change.kind.move_path
    ]
    return {str(Path(cwd, path)) for path in paths}


def _patch_refusal(settings: Settings) -> str | None:
    """Why nobody is asked about a patch that the sandbox does not allow; None when one is."""
    match settings.approval_policy:
        case "never":
            pass
        case GranularApproval(granular=granular) if not granular or not granular.sandbox_approval:
            pass
        case _:
            return None
    read_only = isinstance(settings.sandbox_policy, ReadOnly)
    what = "is blocked by read-only sandbox" if read_only else "outside of the project"
    return f"patch rejected: writing {what}; rejected by user approval settings"
