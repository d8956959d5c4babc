"""The protocol's shapes as files."""

import msgspec
import pytest

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
