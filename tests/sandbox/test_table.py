"""The escape table on the real kernel, for each level that this host has, as root and as a user."""

import functools
import os

import pytest

from sandbox.probe import Missing
from tests.sandbox.table import ESCAPES, FILES, KERNEL, WORKS, Row
from tests.sandbox.trying import backend, observe, python_for_all

DENIED = {"EPERM", "EACCES", "EROFS", "EBUSY", "EXDEV", "EEXIST", "EISDIR", "ENOENT", "ESRCH"}
DENIED |= {"ECONNREFUSED", "ENETUNREACH", "ENOSYS"}
LEVELS = ("full", "reduced")
EVERYBODY = ("root", "user")
GAP = pytest.mark.xfail(reason="a known gap of the reduced level", strict=True)


@functools.cache
def tried(kind: str, level: str, who: str, *, writing: bool):
    rows = {"escape": ESCAPES if writing else FILES, "work": WORKS}[kind]
    return observe(rows, level, who, writing=writing)


def possible(level: str, who: str) -> None:
    if level != "none" and isinstance(found := backend(level), Missing):
        pytest.skip(f"no level {level} here: {found.reason}")
    if (who == "root") != (os.geteuid() == 0) and not (os.geteuid() == 0 and python_for_all()):
        pytest.skip(f"the test cannot be {who} here")


def gap(row: Row, level: str, *, writing: bool) -> bool:
    return level == "reduced" and (row.kept == "full" or (row.kept == "writing" and writing))


def cases(rows: dict[str, Row], *, writing: bool):
    for level in LEVELS:
        for who in EVERYBODY:
            for name, row in rows.items():
                marks = [GAP] if gap(row, level, writing=writing) else []
                yield pytest.param(level, who, name, marks=marks, id=f"{level}-{who}-{name}")


@pytest.mark.parametrize(("level", "who", "name"), list(cases(ESCAPES, writing=True)))
def test_a_command_does_not_reach_beyond_its_policy(level, who, name):
    """Ours: SANDBOX.md's table, workspace-write with the network closed."""
    possible(level, who)
    said, _ = tried("escape", level, who, writing=True)
    assert said[name] in ({"EPERM", "ENOSYS"} if name in KERNEL else DENIED)


@pytest.mark.parametrize(("level", "who", "name"), list(cases(FILES, writing=False)))
def test_read_only_lets_nothing_be_written(level, who, name):
    """Ours: the same with no root at all."""
    possible(level, who)
    said, _ = tried("escape", level, who, writing=False)
    assert said[name] in DENIED


@pytest.mark.parametrize("writing", [True, False])
@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize("level", LEVELS)
def test_no_attempt_has_left_a_trace_outside(level, who, writing):
    """Ours: what counts is what has become of the files, not what the calls have said."""
    possible(level, who)
    assert tried("escape", level, who, writing=writing)[1] == []


@pytest.mark.parametrize("name", [name for name, row in ESCAPES.items() if row.proof != "none"])
@pytest.mark.parametrize("who", EVERYBODY)
def test_without_a_sandbox_each_attack_works(who, name):
    """Ours: an attack that fails anyway would prove nothing."""
    possible("none", who)
    if who != "root" and ESCAPES[name].proof == "root":
        pytest.skip("this is for root to try")
    assert tried("escape", "none", who, writing=True)[0][name] == "ok"


def works():
    for level in LEVELS:
        for who in EVERYBODY:
            for name in WORKS:
                yield pytest.param(level, who, name, id=f"{level}-{who}-{name}")


@pytest.mark.parametrize(("level", "who", "name"), list(works()))
def test_what_programs_need_works(level, who, name):
    """Ours: SANDBOX.md's table, must work; the reference server fails at some of these."""
    possible(level, who)
    said, _ = tried("work", level, who, writing=True)
    lacking = gap(WORKS[name], level, writing=True)
    assert said[name] in ({"EPERM", "EACCES"} if lacking else {"ok"})
