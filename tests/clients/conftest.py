"""Real clients, fetched from their registries once and kept beside the installed packages.

Nothing here is a dependency of ours: a machine that cannot have a client skips its tests and says
what is missing.
"""

import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

SDK = "openai-codex==0.163.0"
SDK_NEEDS = ("pydantic>=2.12", "packaging>=26.2")  # what it declares, but for its own server
TUI = "@openai/codex@0.130.0-linux-x64"
TUI_BINARY = "package/vendor/x86_64-unknown-linux-musl/codex/codex"

CACHE = Path(sys.prefix, "clients")
FETCH_SECONDS = 300  # the terminal UI is 88 MB


@pytest.fixture(scope="session")
def python_sdk() -> Path:
    """A folder for PYTHONPATH that holds the OpenAI Python SDK without the server it brings."""
    with _fetched(SDK) as (folder, is_new):
        if is_new:
            installer = _installer()
            _fetch(*installer, "--target", str(folder), "--no-deps", SDK)
            _fetch(*installer, "--target", str(folder), *SDK_NEEDS)
    return CACHE / _name(SDK)


@pytest.fixture(scope="session")
def codex() -> Path:
    """The reference server's program, which is the Codex terminal UI's too."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip(f"{TUI} runs on Linux on x86_64 only")
    if not shutil.which("npm"):
        pytest.skip("npm is missing, which the reference server is got by")
    with _fetched(TUI) as (folder, is_new):
        if is_new:
            _fetch("npm", "pack", "--loglevel=error", "--pack-destination", str(folder), TUI)
            (package,) = folder.glob("*.tgz")
            with tarfile.open(package) as members:
                members.extract(TUI_BINARY, folder, filter="data")
            package.unlink()
    return CACHE / _name(TUI) / TUI_BINARY


@pytest.fixture(scope="session")
def codex_tui(codex: Path) -> Path:
    """The program of the Codex terminal UI, where it can be driven."""
    if not shutil.which("tmux"):
        pytest.skip("tmux is missing, which the Codex terminal UI is driven by")
    return codex


@contextmanager
def _fetched(what: str) -> Iterator[tuple[Path, bool]]:
    """A folder to fill, which takes its place when that went well; or the one from last time."""
    place = CACHE / _name(what)
    if place.exists():
        yield place, False
        return
    CACHE.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=CACHE) as folder:
        new = Path(folder, "new")
        new.mkdir()
        yield new, True
        new.rename(place)


def _name(what: str) -> str:
    return what.replace("/", "-")


def _installer() -> list[str]:
    if shutil.which("uv"):
        return ["uv", "pip", "install", "--quiet", "--python", sys.executable]
    return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def _fetch(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=FETCH_SECONDS)
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip() or f"status {error.returncode}"
        errors = [line for line in said.splitlines() if "error" in line.lower()] or [said]
        pytest.skip(f"`{' '.join(command)}` failed: {' / '.join(errors[:2])}")
    except subprocess.TimeoutExpired:
        pytest.skip(f"`{' '.join(command)}` took more than {FETCH_SECONDS} s")
