"""What a reviewer is asked, for each thing that can be reviewed.

Git is asked first, so that a name which means nothing is refused before a model has to find out,
and so that the model is given commits instead of names that its shell might trip over.  It runs as
a command of the reviewer's would, in the same sandbox: a repository's configuration can name
programs.
"""

import shutil
from typing import assert_never

from protocol.errors import invalid
from protocol.review import BaseBranch, Commit, Custom, ReviewTarget, UncommittedChanges
from protocol.settings import Settings
from sandbox import Unenforceable, plan
from workers import wording
from workers.git import git_dir
from workers.process import Process
from workers.variables import variables

MAX_NAME = 4096  # bytes of a path, and so of a ref
MISSING = 1  # how `rev-parse --verify --quiet` ends for a name that means nothing
_ASKED_ABOUT = (BaseBranch, Commit, UncommittedChanges)


async def prompt(target: ReviewTarget, settings: Settings, thread_id: str) -> str:
    """Raises RpcError for what cannot be reviewed."""
    if isinstance(target, _ASKED_ABOUT) and git_dir(settings.cwd) is None:
        raise invalid(
            f"{settings.cwd} is not in a git repository, so there are no changes to review; "
            "say in instructions of your own what to look at"
        )
    repository = Repository(settings, thread_id)
    match target:
        case UncommittedChanges():
            return wording.REVIEW_UNCOMMITTED
        case BaseBranch(branch):
            return await _against(repository, branch)
        case Commit(sha, title):
            commit = await repository.commit(sha, "commit")
            named = f'{commit or sha} ("{title}")' if title else commit or sha
            return wording.REVIEW_COMMIT.format(commit=named)
        case Custom(instructions):
            return instructions
        case _:
            assert_never(target)


async def _against(repository: "Repository", branch: str) -> str:
    tip = await repository.commit(branch, "branch")
    base = await repository.base(branch, tip) if tip else None
    if base is None:
        return wording.REVIEW_BRANCH.format(branch=branch)
    return wording.REVIEW_BASE.format(branch=branch, base=base)


class Repository:
    """The one around the settings' folder.  Every answer is None when git cannot say."""

    def __init__(self, settings: Settings, thread_id: str) -> None:
        self._settings = settings
        self._thread_id = thread_id

    async def commit(self, name: str, kind: str) -> str | None:
        """The commit that a name stands for.  Raises RpcError when it stands for none.

        A branch that is only known from the remote is meant, too.
        """
        wanted = [name, f"origin/{name}"] if kind == "branch" else [name]
        if name.startswith("-") or not name.isprintable() or len(name) > MAX_NAME:
            raise self._unknown(name, kind)  # git allows no such names
        for candidate in wanted:
            code, found = await self._git(
                "rev-parse", "--verify", "--quiet", f"{candidate}^{{commit}}"
            )
            if code != MISSING:
                return found if code == 0 else None
        raise self._unknown(name, kind)

    def _unknown(self, name: str, kind: str) -> Exception:
        return invalid(
            f"there is no {kind} `{name[:200]}` in the repository at {self._settings.cwd}"
        )

    async def base(self, branch: str, tip: str) -> str | None:
        """Where the work since `branch` began; its upstream counts too, since it may be stale."""
        ahead = await self._git(
            "rev-parse", "--verify", "--quiet", f"{branch}@{{upstream}}^{{commit}}"
        )
        known = [tip, ahead[1]] if ahead[0] == 0 else [tip]
        code, found = await self._git("merge-base", "HEAD", *known)
        return found if code == 0 else None

    async def _git(self, *words: str) -> tuple[int, str]:
        """Exit code and output; -1 when git cannot be run here."""
        settings, git = self._settings, shutil.which("git")
        if git is None:
            return -1, ""
        env = variables(settings.shell_environment, self._thread_id)
        env |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
        heard: list[bytes] = []
        try:
            launch = plan(
                settings.sandbox_policy,
                [git, *words],
                settings.cwd,
                env,
                settings.permission_profile,
                project=settings.cwd,
            )
            process = Process(launch, apart=True, limits=settings.limits)
        except (OSError, Unenforceable):
            return -1, ""
        code = await process.run(heard.append, lambda _: None)
        return code, b"".join(heard).decode(errors="replace").strip()
