"""Where turns work: `environments` of threads and turns."""

import pytest

from protocol.errors import RpcError
from protocol.methods import TURN_COMPLETED
from protocol.turn import TurnEnvironmentParams
from workers.scripted import ToolCall


async def test_a_turn_without_a_place_to_work_in_has_no_commands(connect_stdio, project, provider):
    """Observed: `environments`; those of a turn hold for it alone, a thread's for all its turns."""
    (project / "sub").mkdir()
    local = TurnEnvironmentParams(cwd=str(project / "sub"), environment_id="local")
    client = await connect_stdio()
    thread = await client.start()

    async def runs(**params):
        provider.says(ToolCall("exec_command", {"cmd": "pwd"}))
        provider.says("done")
        await client.begin(thread, **params)
        await client.next(TURN_COMPLETED)
        asked = provider.requests[-1]
        assert ("exec_command" in [tool.get("name") for tool in asked["tools"]]) is bool(
            params.get("environments", True)
        )
        return asked["input"][-1]["output"]

    assert await runs(environments=[]) == "unsupported call: exec_command"
    assert (await runs(environments=[local])).endswith(f"{project}/sub\n")
    assert (await runs()).endswith(f"{project}\n")
    for wrong, why in (
        (TurnEnvironmentParams("sub", "local"), "AbsolutePathBuf"),
        (TurnEnvironmentParams("/", "moon"), "unknown turn environment id `moon`"),
    ):
        with pytest.raises(RpcError, match=why):
            await client.begin(thread, environments=[wrong])
    with pytest.raises(RpcError, match="duplicate turn environment id `local`"):
        await client.start(environments=[local, local])
    thread = await client.start(environments=[])
    provider.says("hi")
    await client.begin(thread)
    await client.next(TURN_COMPLETED)
    asked = provider.requests[-1]
    assert "exec_command" not in [tool.get("name") for tool in asked["tools"]]
    assert "<cwd>" not in str(asked["input"])
