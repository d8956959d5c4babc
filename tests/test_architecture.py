"""The shape of the project, held by machine: who imports whom, one handler per row, sizes."""

import ast
import importlib
import pkgutil
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from protocol.agent import AGENT_CALLS
from protocol.methods import NOTIFICATIONS, QUESTIONS, REQUESTS
from tests.requirements import DUTIES

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "protocol": {"protocol", "msgspec"},
    "sandbox": {"sandbox", "protocol", "msgspec"},
    "workers": {"workers", "sandbox", "protocol"},
    "supervisor": {"supervisor", "protocol"},
}
OURS = set(MAY_IMPORT)
STRICT = {"protocol", "sandbox"}  # no library but msgspec: no I/O, and cheap to import
NOWHERE = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}
LINES = 400


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(file: Path) -> Iterator[str]:
    """The top-level name of everything that a file imports, wherever in the file it stands."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are written out in full"
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package):
    """Ours (AESTHETICS 4): the supervisor and the workers share only the language they speak."""
    forbidden = OURS - MAY_IMPORT[package]
    wrong = {
        str(file): names for file in sources(package) if (names := forbidden & {*imported(file)})
    }

    assert wrong == {}


@pytest.mark.parametrize("package", sorted(STRICT))
def test_pure_packages_import_no_library_but_msgspec(package):
    """Ours: `protocol` and `sandbox` do no I/O, so nothing that does any is imported there."""
    allowed = MAY_IMPORT[package] | set(sys.stdlib_module_names)
    wrong = {
        str(file): names for file in sources(package) if (names := {*imported(file)} - allowed)
    }

    assert wrong == {}


def test_the_websocket_library_is_imported_in_one_file_of_each_side():
    """Ours: trio-websocket is asleep, so the exit from it is kept cheap."""
    importers = {
        file.relative_to(ROOT).as_posix()
        for package in OURS
        for file in sources(package)
        if "trio_websocket" in imported(file)
    }

    assert importers == {"supervisor/websocket.py", "workers/realtime/wire.py"}


def test_no_module_is_named_for_being_useful():
    """House style: modules are named by the protocol's nouns."""
    assert [f for package in OURS for f in sources(package) if f.stem in NOWHERE] == []


@pytest.mark.parametrize("package", sorted(OURS))
def test_the_packages_are_those_of_this_checkout(package):
    """Ours: PyPI has packages of these names; one of them before ours would be run instead."""
    spec = find_spec(package)

    assert spec is not None
    assert spec.origin == str(ROOT / package / "__init__.py")


def test_no_file_is_longer_than_the_wall():
    """House style: 100 to 250 lines, 400 at the most."""
    files = [f for folder in (*OURS, "tests", "bench", "scripts") for f in sources(folder)]
    lengths = {str(file): len(file.read_text().splitlines()) for file in files}

    assert {file: length for file, length in lengths.items() if length > LINES} == {}


def everything_imported(package: str) -> None:
    for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def test_each_request_has_one_handler_where_it_is_served():
    """Ours: a row is served by the process that its `by` names, and nowhere else."""
    handlers = importlib.import_module("supervisor.handlers")
    mailbox = importlib.import_module("workers.mailbox")
    for name in ("supervisor", "workers"):
        everything_imported(name)
    here = {row.name for row in REQUESTS.values() if row.by == "here"}
    loading = {"thread/start", "thread/resume", "thread/fork"}
    reviewed = {"review/start"}  # by the worker of the thread, or of one made for it
    written = {"thread/metadata/update", "thread/memoryMode/set"}  # by the worker, once loaded
    written |= {"mcpServer/resource/read"}  # or by the service worker, for no thread
    written |= {"thread/goal/set", "thread/goal/get", "thread/goal/clear"}

    assert set(handlers.HANDLERS) == here
    ours = set(AGENT_CALLS)  # of workers, through the supervisor
    theirs = set(REQUESTS) - here | loading | reviewed | written

    assert set(mailbox.HANDLERS) == theirs | ours


def test_each_row_has_its_line_in_the_api_document():
    """Ours: what is not written down is not there for client authors."""
    text = (ROOT / "protocol" / "README.md").read_text()
    lines = re.findall(r"^- `([^`]+)`", text, re.MULTILINE)

    assert sorted(lines) == sorted([*REQUESTS, *QUESTIONS, *NOTIFICATIONS])


def test_the_version_is_the_same_everywhere():
    """Ours: the server says its version without reading the distribution's metadata."""
    from supervisor.options import VERSION

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION


def mirrors_of(file: Path) -> dict[str, str]:
    """The tests of a file with their docstrings."""
    return {
        node.name: ast.get_docstring(node) or ""
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }


def test_each_duty_is_held_by_tests_that_exist():
    """Ours: the manifest and the tests must not drift apart."""
    known = {
        f"wire/{file.name}::{name}" for file in sources("tests/wire") for name in mirrors_of(file)
    }

    assert {test for duty in DUTIES.values() for test in duty.tests} <= known


def test_each_test_of_the_whole_server_says_where_its_duty_comes_from():
    """House style: observed in the reference server, or ours."""
    homeless = [
        f"{file.name}::{name}"
        for file in sources("tests/wire")
        for name, text in mirrors_of(file).items()
        if not text.startswith(("Observed", "Ours"))
    ]

    assert homeless == []
