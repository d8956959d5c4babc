"""Which skills a folder has."""

import os

import pytest

from protocol.skill import SkillDependencies, SkillInterface, SkillToolDependency
from supervisor.config import Config
from supervisor.skills import discover, skills_for


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    home = tmp_path / "home"
    home.mkdir()
    return home


def put(file, name="", description="d", extra=""):
    file.parent.mkdir(parents=True, exist_ok=True)
    front = f"name: {name}\n" if name else ""
    file.write_text(f"---\n{front}description: {description}\n{extra}---\nBody.\n")
    return file


def found(home, cwd):
    skills, errors = discover(Config(home, etc=home / "no-etc"), str(cwd))
    assert not errors
    return [(skill.scope, skill.name) for skill in skills]


def test_skills_come_from_the_repository_the_homes_and_the_system(home, tmp_path):
    """Observed: by scope, then name; those below the folder do not count."""
    work = tmp_path / "work"
    (work / ".git").mkdir(parents=True)
    put(home / "skills" / "zeta" / "SKILL.md", "zeta")
    put(home / "skills" / "same" / "SKILL.md", "same")
    put(home / "skills" / ".system" / "s" / "SKILL.md", "sys")
    put(tmp_path / "user" / ".agents" / "skills" / "h" / "SKILL.md", "agents-home")
    put(work / ".agents" / "skills" / "p" / "SKILL.md", "same")
    put(work / ".codex" / "skills" / "p" / "SKILL.md", "codex-repo")
    put(work / "sub" / ".agents" / "skills" / "n" / "SKILL.md", "nested")
    rest = [("user", "agents-home"), ("user", "same"), ("user", "zeta"), ("system", "sys")]

    assert found(home, work) == [("repo", "codex-repo"), ("repo", "same"), *rest]
    assert found(home, work / "sub")[:3] == [
        ("repo", "codex-repo"),
        ("repo", "nested"),
        ("repo", "same"),
    ]


def test_a_file_that_is_no_skill_is_an_error_with_its_path(home, tmp_path):
    """Observed: the reasons; a hidden folder is not looked into."""
    skills = home / "skills"
    put(skills / "noname" / "SKILL.md")
    put(skills / "deep" / "a" / "b" / "SKILL.md", "deep")
    put(skills / ".hidden" / "SKILL.md", "hidden")
    put(skills / "longname" / "SKILL.md", "n" * 65)
    put(skills / "longdesc" / "SKILL.md", "x", "d" * 1025)
    put(skills / "maxdesc" / "SKILL.md", "max", "d" * 1024)
    put(skills / "nodesc" / "SKILL.md", "x", "")
    for name, text in (("nofront", "no front matter\n"), ("yaml", "---\na: [\n---\n")):
        put(skills / name / "SKILL.md").write_text(text)

    good, bad = discover(Config(home, etc=home / "no-etc"), str(tmp_path))

    assert [skill.name for skill in good] == ["deep", "max", "noname"]
    reasons = {error.path.split("/")[-2]: error.message for error in bad}
    assert reasons.pop("yaml").startswith("invalid YAML")
    assert reasons == {
        "longname": "invalid name: exceeds maximum length of 64 characters",
        "longdesc": "invalid description: exceeds maximum length of 1024 characters",
        "nodesc": "missing field `description`",
        "nofront": "missing YAML frontmatter delimited by ---",
    }


def test_a_linked_folder_is_followed_and_a_linked_file_is_not(home, tmp_path):
    """Observed; a link that leads in a circle ends there (ours)."""
    put(tmp_path / "elsewhere" / "SKILL.md", "linked")
    skills = home / "skills"
    skills.mkdir()
    (skills / "folder").symlink_to(tmp_path / "elsewhere")
    (skills / "circle").symlink_to(skills)
    (skills / "file").mkdir()
    (skills / "file" / "SKILL.md").symlink_to(tmp_path / "elsewhere" / "SKILL.md")

    [skill], errors = discover(Config(home, etc=home / "no-etc"), str(tmp_path))

    assert skill.path == str(tmp_path / "elsewhere" / "SKILL.md")
    assert not errors


def test_a_skill_may_say_how_it_wants_to_be_shown(home, tmp_path):
    """Observed: agents/openai.yaml and metadata; icons lie in assets or are left out (ours)."""
    file = put(
        home / "skills" / "ui" / "SKILL.md", "ui", extra="metadata:\n  short-description: Short\n"
    )
    extra = file.parent / "agents" / "openai.yaml"
    extra.parent.mkdir()
    extra.write_text(
        'interface:\n  display_name: "UI"\n  icon_small: "./assets/i.svg"\n'
        '  icon_large: "../../../etc/passwd"\n  brand_color: "#3B82F6"\n'
        'dependencies:\n  tools:\n    - type: "mcp"\n      value: "docs"\n    - odd\n'
    )

    [skill], _ = discover(Config(home, etc=home / "no-etc"), str(tmp_path))

    assert skill.short_description == "Short"
    assert skill.interface == SkillInterface(
        brand_color="#3B82F6",
        display_name="UI",
        icon_small=str(file.parent / "assets" / "i.svg"),
    )
    assert skill.dependencies == SkillDependencies([SkillToolDependency("mcp", "docs")])


def test_a_skill_that_is_switched_off_is_listed_but_not_told_to_the_model(home, tmp_path):
    """Observed: `[[skills.config]]` names it by name or path."""
    one = put(home / "skills" / "one" / "SKILL.md", "one")
    put(home / "skills" / "two" / "SKILL.md", "two")
    three = put(home / "skills" / "three" / "SKILL.md", "three")
    (home / "config.toml").write_text(
        f'[[skills.config]]\npath = "{one}"\nenabled = false\n'
        '[[skills.config]]\nname = "two"\nenabled = false\n'
    )
    config = Config(home, etc=home / "no-etc")

    listed, _ = discover(config, str(tmp_path))

    assert {skill.name: skill.enabled for skill in listed} == {
        "one": False,
        "two": False,
        "three": True,
    }
    assert skills_for(config, str(tmp_path)) == [
        {"name": "three", "description": "d", "path": str(three)}
    ]


def test_a_changed_skill_is_read_again(home, tmp_path):
    """Observed: new files and new texts are seen at the next list."""
    file = put(home / "skills" / "a" / "SKILL.md", "a")
    config = Config(home, etc=home / "no-etc")
    assert [s["description"] for s in skills_for(config, str(tmp_path))] == ["d"]

    put(file, "a", "other")
    os.utime(file, ns=(1, 1))

    assert [s["description"] for s in skills_for(config, str(tmp_path))] == ["other"]
