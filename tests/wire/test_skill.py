"""Skills that change under a running server."""

from protocol.methods import SKILLS_CHANGED, SKILLS_LIST
from protocol.skill import SkillsListParams


def make(folder, name):
    (folder / name).mkdir(parents=True)
    (folder / name / "SKILL.md").write_text(f"---\nname: {name}\ndescription: d\n---\n")


async def test_clients_hear_of_skills_that_come(home, project, connect_stdio):
    """Observed: while a thread is loaded.  Ours: also where there was no folder for them yet."""
    client = await connect_stdio()
    await client.start(cwd=str(project))
    await client.call(SKILLS_LIST, SkillsListParams(cwds=[str(project)]))
    make(project / ".agents" / "skills", "new")
    await client.next(SKILLS_CHANGED)
    listed = await client.call(SKILLS_LIST, SkillsListParams(cwds=[str(project)]))
    assert "new" in [skill.name for skill in listed.data[0].skills]
