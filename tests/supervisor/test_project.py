"""Which project a folder belongs to."""

from protocol.placeholder import MODE
from supervisor.project import folders, git_root, trust_key, trust_level


def test_a_project_reaches_from_its_marked_root_down_to_the_folder(tmp_path):
    """Observed: outer first."""
    (tmp_path / ".git").mkdir()
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)

    assert folders(str(inner)) == [tmp_path, tmp_path / "a", inner]


def test_what_a_running_sandbox_puts_there_marks_no_project(tmp_path):
    """Ours: else a folder would be trusted as a whole because a command runs in it."""
    (tmp_path / ".git").mkdir(MODE)
    inner = tmp_path / "a"
    inner.mkdir()

    assert folders(str(inner)) == [inner]
    assert git_root(str(inner)) is None
    assert trust_key(str(inner)) == str(inner)


def test_without_a_marker_the_folder_stands_alone(tmp_path):
    """Observed; `project_root_markers` may name other marks, or none."""
    inner = tmp_path / "a"
    inner.mkdir()
    (tmp_path / "setup.cfg").touch()

    assert folders(str(inner), []) == [inner]
    assert folders(str(inner), ["setup.cfg"]) == [tmp_path, inner]


def test_a_worktree_is_trusted_with_its_main_checkout(tmp_path):
    """Observed: trust is written for the repository as a whole."""
    main, tree = tmp_path / "main", tmp_path / "tree"
    (main / ".git" / "worktrees" / "tree").mkdir(parents=True)
    tree.mkdir()
    (tree / ".git").write_text(f"gitdir: {main}/.git/worktrees/tree\n")

    assert git_root(str(tree)) == main
    assert (
        trust_level({"projects": {str(main): {"trust_level": "trusted"}}}, str(tree)) == "trusted"
    )


def test_a_submodule_is_a_project_of_its_own(tmp_path):
    """Ours: its gitdir lies in another repository that says nothing of it."""
    (tmp_path / ".git").mkdir()
    sub = tmp_path / "sub"
    sub.mkdir()
    (sub / ".git").write_text("gitdir: ../.git/modules/sub\n")

    assert trust_key(str(sub)) == str(sub)


def test_the_folder_itself_is_asked_before_its_repository(tmp_path):
    """Ours: the nearer word counts."""
    (tmp_path / ".git").mkdir()
    inner = tmp_path / "a"
    inner.mkdir()
    projects = {
        str(tmp_path): {"trust_level": "trusted"},
        str(inner): {"trust_level": "untrusted"},
    }

    assert trust_level({"projects": projects}, str(inner)) == "untrusted"
    assert trust_level({"projects": projects}, str(tmp_path / "b")) == "trusted"
    assert trust_level({}, str(inner)) is None
