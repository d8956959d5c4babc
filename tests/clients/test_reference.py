"""A thread of either server is the other's too: listed, read, resumed, gone on with.

What differs on purpose stands in `is_meant`, with the reason; anything else that differs is a fault
of ours.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest

from tests.server import ATRIO

pytestmark = pytest.mark.clients

ROOT = Path(__file__).parents[2]
COMPARE_SECONDS = 120
ALONE = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


@pytest.mark.parametrize("writer", ["reference", "atrio"])
def test_both_servers_say_the_same_of_threads_that_one_of_them_wrote(codex, writer):
    """Observed: the reference server's view of a file is what clients expect to see."""
    with TemporaryDirectory(dir="/var/tmp") as place:  # the reference wants no home below /tmp
        views = _compare(place, writer, f"reference={codex}", f"atrio={ATRIO}")
    found = differences(views["reference"], views["atrio"])
    assert views["atrio"]["thread"]["turns"], "there is something to compare"
    assert [difference for difference in found if not is_meant(difference)] == []


def _compare(*arguments: str) -> dict[str, Any]:
    """Run `tests.clients.compare`, where nothing but loopback can be reached if we may."""
    alone = ALONE if subprocess.run([*ALONE, "true"], check=False).returncode == 0 else []
    command = [*alone, sys.executable, "-m", "tests.clients.compare", *arguments]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=COMPARE_SECONDS,
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Difference(NamedTuple):
    place: str
    theirs: Any
    ours: Any


def differences(theirs: Any, ours: Any, place: str = "") -> list[Difference]:
    """Where two JSON values part."""
    match theirs, ours:
        case dict(), dict() if theirs.keys() == ours.keys():
            pairs = [(key, theirs[key], ours[key]) for key in theirs]
        case list(), list() if len(theirs) == len(ours):
            pairs = [(at, a, b) for at, (a, b) in enumerate(zip(theirs, ours, strict=True))]
        case _:
            return [] if theirs == ours else [Difference(place, theirs, ours)]
    return [found for key, a, b in pairs for found in differences(a, b, f"{place}/{key}")]


def is_meant(found: Difference) -> bool:
    """What a client was told stays true: a failed turn reads back as failed, with its error.

    And a list says where a fork comes from, as reading it does.
    """
    match found.place.rpartition("/")[2]:
        case "forkedFromId":
            return found.place.startswith("/list/") and found.theirs is None
        case "status":
            return (found.theirs, found.ours) == ("completed", "failed")
        case "error":
            return found.theirs is None and found.ours["message"] == "fail!"
        case _:
            return False
