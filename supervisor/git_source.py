"""Where a marketplace comes from: a folder, or a git repository that is fetched with care.

Addresses are other people's words: they are never options, no hooks run, nobody is asked for a
password, and only the usual transports are used.
"""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import trio

FETCH_SECONDS = 120.0
FORMAT = (
    "invalid marketplace source format; expected owner/repo, a git URL, or a local marketplace path"
)
_SHORT = re.compile(r"([A-Za-z0-9][\w.-]*/[\w.-]+?)(?:@([\w./-]+))?")
_REMOTE = re.compile(r"(https?|ssh)://[^\s]+|[\w.-]+@[\w.-]+:[^\s]+")
_REF = re.compile(r"(?!-)[\w./@+-]+")


class Refused(Exception):
    """The source cannot be used; the text says why."""


@dataclass(frozen=True)
class Folder:
    path: Path


@dataclass(frozen=True)
class Repository:
    url: str
    ref: str | None = None
    sparse: list[str] = field(default_factory=list[str])


def parse(source: str, ref: str | None, sparse: list[str] | None) -> Folder | Repository:
    """Raises Refused."""
    source = source.strip()
    if not source:
        raise Refused("marketplace source must not be empty")
    if source.startswith(("/", "./", "../", "~")) or source in (".", ".."):
        if ref is not None:
            raise Refused("--ref is only supported for git marketplace sources")
        if sparse:
            raise Refused("--sparse is only supported for git marketplace sources")
        return Folder(_folder(source))
    url, named = _url(source)
    return Repository(url, _checked(ref or named), [_below(path) for path in sparse or []])


def _folder(source: str) -> Path:
    path = Path(os.path.abspath(Path(source).expanduser()))  # noqa: PTH100 - `..` is resolved
    if not path.exists():
        what = "No such file or directory (os error 2)"
        raise Refused(f"failed to resolve local marketplace source path: {what}")
    if not path.is_dir():
        raise Refused("local marketplace source must be a directory, not a file")
    return path


def _url(source: str) -> tuple[str, str | None]:
    if short := _SHORT.fullmatch(source):
        return f"https://github.com/{short[1].removesuffix('.git')}.git", short[2]
    url, _, ref = source.partition("#")
    if not _REMOTE.fullmatch(url):
        raise Refused(FORMAT)
    return url, ref or None


def _checked(ref: str | None) -> str | None:
    if ref is not None and not _REF.fullmatch(ref):
        raise Refused(f"invalid git ref: {ref}")
    return ref


def _below(path: str) -> str:
    if path.startswith(("/", "-")) or ".." in Path(path).parts or not path:
        raise Refused(f"invalid sparse path: {path}")
    return path


async def fetch(repository: Repository, into: Path) -> tuple[Path, str]:
    """A checkout below `into` and its revision; who asks must move it or take it away.

    Raises Refused, and OSError.
    """
    folder = _new_folder(into)
    try:
        sparse = ["--filter=blob:none", "--sparse"] if repository.sparse else []
        branch = ["--branch", repository.ref] if repository.ref else []
        await git("clone", "--quiet", *sparse, *branch, "--", repository.url, str(folder))
        if repository.sparse:
            await git("sparse-checkout", "set", "--", *repository.sparse, cwd=folder)
        revision = await git("rev-parse", "HEAD", cwd=folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder, revision.strip()


def _new_folder(into: Path) -> Path:
    into.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=into, prefix=".new-"))


async def git(*words: str, cwd: Path | None = None) -> str:
    """Raises Refused with what git says."""
    careful = ["-c", "core.hooksPath=/dev/null", "-c", "protocol.ext.allow=never"]
    env = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1"}
    env |= {"GIT_SSH_COMMAND": "ssh -o BatchMode=yes", "LC_ALL": "C"}
    with trio.move_on_after(FETCH_SECONDS):
        try:
            done = await trio.run_process(
                ["git", *careful, *words],
                cwd=cwd,
                env=env,
                stdin=b"",
                capture_stdout=True,
                capture_stderr=True,
                check=False,
            )
        except FileNotFoundError:
            raise Refused("git is not installed; install it and try again") from None
        return _told(words[0], done)
    raise Refused(f"git {words[0]} took longer than {FETCH_SECONDS:.0f} seconds")


def _told(what: str, done: "subprocess.CompletedProcess[bytes]") -> str:
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()[-2000:]
        raise Refused(f"git {what} failed: {said}")
    return done.stdout.decode("utf-8", "replace")
