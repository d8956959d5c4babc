"""Which AGENTS.md files the model gets, and how."""

import os

import pytest

from protocol.placeholder import MODE
from protocol.settings import Provider, Settings
from workers.docs import Docs, read, wrapped


@pytest.fixture
def place(tmp_path):
    """A home and a repository with a folder in it."""
    (tmp_path / "home").mkdir()
    (tmp_path / "work/.git").mkdir(parents=True)
    (tmp_path / "work/sub").mkdir()
    return tmp_path


def settings(place, cwd="work", **more):
    return Settings(
        home=str(place / "home"),
        cwd=str(place / cwd),
        model="m",
        provider=Provider("p", "P"),
        **more,
    )


def test_without_files_there_are_no_docs(place):
    """Observed: `instructionSources` is empty then."""
    assert read(settings(place)) == Docs()


def test_the_users_file_comes_first_then_the_projects_from_the_root_down(place):
    """Observed: texts, separators and `instructionSources`."""
    (place / "home/AGENTS.md").write_text("\n global \n\n")
    (place / "work/AGENTS.md").write_text("root rule\n")
    (place / "work/sub/AGENTS.md").write_text("sub rule\n")

    assert read(settings(place, "work/sub")) == Docs(
        "global\n\n--- project-doc ---\n\nroot rule\n\n\nsub rule\n",
        (
            str(place / "home/AGENTS.md"),
            str(place / "work/AGENTS.md"),
            str(place / "work/sub/AGENTS.md"),
        ),
    )


def test_an_override_wins_over_the_usual_file_and_fallbacks_come_last(place):
    """Observed: one file per folder; a blank override at home is passed over."""
    (place / "home/AGENTS.override.md").write_text(" ")
    (place / "home/AGENTS.md").write_text("global")
    (place / "work/AGENTS.override.md").write_text("over")
    (place / "work/AGENTS.md").write_text("usual")
    (place / "work/sub/CLAUDE.md").write_text("fallback")

    docs = read(settings(place, "work/sub", project_doc_fallback_filenames=["CLAUDE.md"]))

    assert docs.text == "global\n\n--- project-doc ---\n\nover\n\nfallback"


def test_without_a_project_root_only_the_cwd_counts(place):
    """Observed: folders above are somebody else's."""
    (place / "work/AGENTS.md").write_text("root")
    (place / "work/sub/AGENTS.md").write_text("sub")

    assert read(settings(place, "work/sub", project_root_markers=[".nothing"])).text == "sub"


def test_what_a_running_sandbox_puts_there_is_no_project_root(place):
    """Ours: else the files of folders above would count because a command runs there."""
    (place / "work/AGENTS.md").write_text("above")
    (place / "work/sub/AGENTS.md").write_text("sub")
    (place / "work/.mark").mkdir(MODE)

    assert read(settings(place, "work/sub", project_root_markers=[".mark"])).text == "sub"


def test_the_limit_cuts_the_projects_files_only(place):
    """Observed: `project_doc_max_bytes` is for their sum, and 0 turns them off."""
    (place / "home/AGENTS.md").write_text("a global rule")
    (place / "work/AGENTS.md").write_text("root")
    (place / "work/sub/AGENTS.md").write_text("aé")

    cut = read(settings(place, "work/sub", project_doc_max_bytes=6))
    off = read(settings(place, "work/sub", project_doc_max_bytes=0))

    assert cut.text == "a global rule\n\n--- project-doc ---\n\nroot\n\na"
    assert off == Docs("a global rule", (str(place / "home/AGENTS.md"),))


def test_bad_bytes_are_replaced(place):
    """Observed: a file that is no UTF-8 is still read."""
    (place / "work/AGENTS.md").write_bytes(b"abc\xff\xfedef")

    assert read(settings(place)).text == "abc\ufffd\ufffddef"


def test_a_fifo_is_passed_over(place):
    """Ours: reading one would hold the thread for ever."""
    os.mkfifo(place / "work/AGENTS.md")

    assert read(settings(place)) == Docs()


def test_the_text_is_wrapped_in_its_tags():
    """Observed: heading and tags."""
    assert wrapped(Docs("rule"), "/w") == (
        "# AGENTS.md instructions for /w\n\n<INSTRUCTIONS>\nrule\n</INSTRUCTIONS>"
    )
