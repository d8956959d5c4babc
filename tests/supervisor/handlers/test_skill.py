"""What clients are told of skills."""

from types import SimpleNamespace

from protocol.methods import SKILLS_LIST
from protocol.skill import SkillErrorInfo, SkillsListParams
from supervisor.config import Config
from supervisor.handlers import HANDLERS
from supervisor.handlers import skill as _  # noqa: F401 - enters its handlers


def test_each_folder_is_answered_under_the_name_that_the_client_gave_it(tmp_path, monkeypatch):
    """Observed: relative and missing ones too; none means the server's own."""
    home, work = tmp_path / "home", tmp_path / "work"
    work.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(work)
    for name, text in (("a", "---\nname: a\ndescription: d\n---\n"), ("b", "")):
        (home / "skills" / name).mkdir(parents=True)
        (home / "skills" / name / "SKILL.md").write_text(text)
    host = SimpleNamespace(home=home, config=Config(home, etc=home / "no-etc"))

    def listed(**params):
        data = HANDLERS[SKILLS_LIST.name](host, None, SkillsListParams(**params)).data
        return {entry.cwd: [skill.name for skill in entry.skills] for entry in data}

    assert listed(cwds=["relative", "/missing"]) == {"relative": ["a"], "/missing": ["a"]}
    assert listed() == listed(cwds=[]) == {str(work): ["a"]}
    [entry] = HANDLERS[SKILLS_LIST.name](host, None, SkillsListParams()).data
    assert entry.errors == [
        SkillErrorInfo(
            message="missing YAML frontmatter delimited by ---",
            path=str(home / "skills" / "b" / "SKILL.md"),
        )
    ]
