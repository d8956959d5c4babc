"""The level of the sandbox through the whole server: chosen, told, refused, and left in order."""

import psutil
import pytest
import trio

from protocol.command import CommandExecParams
from protocol.errors import RpcError
from protocol.methods import COMMAND_EXEC, CONFIG_WARNING
from protocol.policy import WorkspaceWrite
from sandbox import landlock
from sandbox.probe import Missing, bubblewrap
from sandbox.probe import landlock as reduced
from tests.commanding import begin, run, sh

INSIDE = WorkspaceWrite(exclude_slash_tmp=True, exclude_tmpdir_env_var=True)
WORKSPACE = ["-c", "sandbox_mode='workspace-write'"]
WORKSPACE += ["-c", "sandbox_workspace_write={exclude_slash_tmp=true,exclude_tmpdir_env_var=true}"]

needs_bubblewrap = pytest.mark.skipif(
    isinstance(bubblewrap(), Missing), reason="bubblewrap does not work here"
)
needs_landlock = pytest.mark.skipif(
    isinstance(reduced(), Missing), reason="Landlock does not work here"
)


@pytest.fixture
def without_bubblewrap(monkeypatch):
    monkeypatch.setenv("ATRIO_BWRAP", "/no/such/program")


async def warnings(client) -> list[str]:
    """What the client was told of the sandbox so far."""
    heard = [h.params for h in client.heard if h.method == CONFIG_WARNING.name]
    return [f"{told.summary} {told.details}" for told in heard]


@needs_bubblewrap
async def test_where_all_is_enforced_nothing_is_said(connect_stdio, project):
    """Ours: a warning that always comes is read by nobody."""
    connect_stdio.flags = [*WORKSPACE, "-c", "atrio.sandbox_minimum='reduced'"]
    client = await connect_stdio()
    await client.start(cwd=str(project))
    await run(client, "true")
    assert await warnings(client) == []


async def test_what_cannot_be_confined_is_told_and_refused(
    connect_stdio, project, without_bubblewrap
):
    """Ours: never silently without a sandbox; the text says why, and what to do."""
    connect_stdio.flags = WORKSPACE
    client = await connect_stdio()
    await client.start(cwd=str(project))
    told = await client.next(CONFIG_WARNING)
    assert "cannot be confined" in told.summary
    assert "/no/such/program cannot be started" in told.details
    assert "danger-full-access" in told.details
    assert ("sandbox_minimum" in told.details) == (landlock.abi() >= landlock.OLDEST)
    with pytest.raises(RpcError, match="cannot enforce the sandbox policy"):
        await client.call(COMMAND_EXEC, CommandExecParams(command=["touch", "x"], cwd=str(project)))
    assert list(project.iterdir()) == []


@needs_landlock
async def test_the_reduced_level_is_used_where_it_is_allowed_and_told(
    connect_stdio, project, home, without_bubblewrap
):
    """Ours: by name only, and each thread says what it does not keep."""
    connect_stdio.flags = [*WORKSPACE, "-c", "atrio.sandbox_minimum='reduced'"]
    client = await connect_stdio()
    await client.start(cwd=str(project))
    told = await client.next(CONFIG_WARNING)
    assert "reduced level" in told.summary
    assert "Not enforced: .git, .codex, .agents" in told.details
    params = CommandExecParams(
        command=sh(f"echo x > made; echo x > {home}/made; cat {home}/auth.json; exit 4"),
        cwd=str(project),
        sandbox_policy=WorkspaceWrite(
            writable_roots=[str(project)], exclude_slash_tmp=True, exclude_tmpdir_env_var=True
        ),
    )
    (home / "auth.json").write_text("secret")
    done = await client.call(COMMAND_EXEC, params)
    assert (done.exit_code, done.stdout) == (4, "")
    assert (project / "made").exists()
    assert not (home / "made").exists()
    assert done.stderr.count("Permission denied") == 2


@needs_landlock
async def test_a_project_cannot_allow_the_reduced_level(connect_stdio, project, without_bubblewrap):
    """Ours: whoever wrote the project is whom the sandbox is against."""
    (project / ".codex").mkdir()
    (project / ".codex/config.toml").write_text("[atrio]\nsandbox_minimum = 'reduced'\n")
    connect_stdio.flags = [*WORKSPACE, "-c", f"projects.'{project}'.trust_level='trusted'"]
    client = await connect_stdio()
    await client.start(cwd=str(project))
    told = await client.next(CONFIG_WARNING, lambda told: "confined" in told.summary)
    assert "none is run" in told.summary


@needs_bubblewrap
async def test_no_placeholder_stays_when_a_worker_is_killed(connect_ws, project):
    """Ours: nobody else may come there for a long time."""
    client = await connect_ws()
    policy = WorkspaceWrite(
        writable_roots=[str(project)], exclude_slash_tmp=True, exclude_tmpdir_env_var=True
    )
    begun = await begin(
        client, "echo up; exec sleep 603", stream_stdout_stderr=True, sandbox_policy=policy
    )
    await begun.hear(b"up\n")
    assert sorted(path.name for path in project.iterdir()) == [".agents", ".codex", ".git"]
    [command] = [p for p in connect_ws.server.processes() if p.name() == "bwrap"][:1]
    psutil.Process(command.ppid()).kill()

    with pytest.raises(RpcError, match="the worker process that ran it died"):
        await begun.result()
    with trio.fail_after(10):
        while list(project.iterdir()):
            await trio.sleep(0.01)
