"""A patch in the clothes of a command."""

import pytest

from workers.tools.heredoc import patch_in

PATCH = "*** Begin Patch\n*** Delete File: a\n*** End Patch\n"


@pytest.mark.parametrize(
    "argv",
    [
        ["apply_patch", PATCH],
        ["bash", "-lc", f"apply_patch <<'EOF'\n{PATCH}EOF\n"],
        ["/bin/sh", "-c", f"apply_patch <<EOF\n{PATCH}EOF"],
        ["bash", "-lc", f'\napply_patch << "END_1"\n{PATCH}END_1\n\n'],
    ],
)
def test_a_patch_is_found(argv):
    """Observed: apply_patch given to a shell is a file change."""
    assert patch_in(argv) == PATCH


@pytest.mark.parametrize(
    "argv",
    [
        ["apply_patch"],
        ["cat", PATCH],
        ["bash", "-lc", "echo apply_patch"],
        ["bash", "-lc", f"apply_patch <<'EOF'\n{PATCH}EOF\nrm -rf x"],
        ["bash", "-lc", f"rm x; apply_patch <<'EOF'\n{PATCH}EOF"],
        ["bash", "-lc", f"apply_patch <<'EOF'\n{PATCH}"],
        ["python", "-c", f"apply_patch <<'EOF'\n{PATCH}EOF"],
    ],
)
def test_whatever_does_more_is_a_command(argv):
    """Ours: a second command must not be lost or run unseen."""
    assert patch_in(argv) is None


def test_the_patch_ends_at_the_first_end_mark():
    """Ours: a shell would run what follows."""
    script = f"apply_patch <<'EOF'\n{PATCH}EOF\nrm x\nEOF\n"
    assert patch_in(["bash", "-lc", script]) is None
