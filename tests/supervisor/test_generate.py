"""The protocol's shapes as files."""

import json
import subprocess
import sys

import msgspec
import pytest

from protocol.methods import REQUESTS
from supervisor.generate import BUNDLE, write
from supervisor.options import Refused


def test_a_folder_of_schemas_has_a_file_per_shape_and_a_bundle(tmp_path):
    """Observed: names of the files, and a folder that is made."""
    assert write("json-schema", str(tmp_path / "new"), experimental=False) == 0

    bundle = msgspec.json.decode((tmp_path / "new" / BUNDLE).read_bytes())
    files = {path.name for path in (tmp_path / "new").iterdir()}
    assert files == {f"{name}.json" for name in bundle["definitions"]} | {BUNDLE}


def test_a_folder_of_types_has_a_file_per_shape_and_an_index(tmp_path):
    """Observed."""
    assert write("ts", str(tmp_path), experimental=True) == 0

    index = (tmp_path / "index.ts").read_text()
    assert 'export type { TurnStartParams } from "./TurnStartParams";' in index
    assert index.count("export type") == len(list(tmp_path.iterdir())) - 1


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    """Ours: status 1 with cause and cure."""
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="choose another --out"):
        write("ts", str(tmp_path / "file" / "x"), experimental=False)


def test_the_command_writes_the_whole_table(tmp_path):
    """Ours: in a process of its own, where nothing else has filled the table."""
    command = [sys.executable, "-m", "supervisor", "app-server", "generate-json-schema"]
    subprocess.run([*command, "--out", str(tmp_path)], check=True)

    requests = json.loads((tmp_path / "ClientRequest.json").read_bytes())["oneOf"]
    assert len(requests) == sum(not row.experimental for row in REQUESTS.values())
