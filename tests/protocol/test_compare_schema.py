"""`scripts/compare_schema` finds what differs, and our table is the contract's."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.generate import BUNDLE, write

HOUSE = Path(__file__).parents[2]
CONTRACT = HOUSE.parent / "shared" / "contract" / "0.130.0"


def compare(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HOUSE / "scripts" / "compare_schema.py"), str(folder)]
    path = {"PYTHONPATH": str(HOUSE)}
    return subprocess.run(command, capture_output=True, text=True, env=path, check=False)


def changed(folder: Path, change) -> subprocess.CompletedProcess[str]:
    """The comparison with our own schema, after a change to it."""
    write("json-schema", str(folder), experimental=True)
    bundle = json.loads((folder / BUNDLE).read_bytes())
    change(bundle["definitions"])
    (folder / BUNDLE).write_text(json.dumps(bundle))
    return compare(folder)


def test_each_kind_of_difference_is_named_with_its_place(tmp_path):
    """Ours: methods, fields, types, null, values and what is required."""

    def change(shapes):
        del shapes["ThreadStartParams"]["properties"]["cwd"]
        shapes["Turn"]["properties"]["error"] = {"type": "string"}
        shapes["TurnStartParams"]["required"].append("model")
        shapes["ThreadArchiveParams"]["properties"]["threadId"] = {"enum": ["a"]}
        shapes["ClientRequest"]["oneOf"].pop()

    found = changed(tmp_path, change)
    last = json.loads((tmp_path / "ClientRequest.json").read_bytes())["oneOf"][-1]

    assert found.returncode == 1
    for line in (
        "ThreadStartParams.cwd: only Atrio has this field",
        "Turn.error: only the reference has string",
        "Turn.error: only Atrio has null",
        "TurnStartParams.model: only the reference has it required",
        "ThreadArchiveParams.threadId: only the reference has 'a'",
        f"{last['properties']['method']['enum'][0]}: only Atrio has it",
    ):
        assert line in found.stdout.splitlines(), found.stdout


def test_our_own_schema_does_not_differ_from_itself(tmp_path):
    """Ours: the floor of the comparison."""
    found = changed(tmp_path, lambda _: None)
    assert (found.returncode, found.stderr) == (0, ""), found.stdout


def test_a_folder_without_a_bundle_is_told_how_to_make_one(tmp_path):
    """Ours."""
    found = compare(tmp_path)
    assert found.returncode == 2
    assert "generate-json-schema" in found.stderr


@pytest.mark.skipif(not CONTRACT.is_dir(), reason="the contract is not part of a checkout")
def test_the_table_is_the_contract():
    """Observed: contract 0.130.0, stable and experimental."""
    found = compare(CONTRACT)
    assert found.returncode == 0, found.stdout
