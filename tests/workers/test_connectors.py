"""What the user says of ChatGPT's apps, and what is left of their tools."""

import pytest

from protocol.settings import App, AppTool, McpServer
from tests.wire.test_app import TOOLS
from workers.mcp.connectors import allowed, approval, place


def left(**apps):
    server = McpServer(url="http://127.0.0.1", apps=apps)
    return [tool["name"].removeprefix("my_calendar") for tool in TOOLS if allowed(server, tool)]


@pytest.mark.parametrize(
    ("apps", "names"),
    [
        ({}, ["_create", "_list"]),
        ({"other": App(enabled=False)}, ["_create", "_list"]),
        ({"cal": App(enabled=False)}, []),
        ({"_default": App(enabled=False)}, []),
        ({"_default": App(enabled=False), "cal": App()}, ["_create", "_list"]),
        ({"cal": App(destructive_enabled=False)}, ["_list"]),
        ({"cal": App(open_world_enabled=False)}, []),
        ({"cal": App(default_tools_enabled=False)}, []),
        ({"cal": App(tools={"my_calendar_list": AppTool(enabled=False)})}, ["_create"]),
        (
            {"cal": App(default_tools_enabled=False, tools={"my_calendar_list": AppTool(True)})},
            ["_list"],
        ),
    ],
)
def test_what_is_switched_off_is_not_offered(apps, names):
    """Observed; ours: what only reads destroys nothing."""
    assert left(**apps) == names


def test_when_the_user_is_asked():
    """Observed: of the tool, else of the app, else by what the tool says of itself."""
    [create, other] = TOOLS
    app = App(default_tools_approval_mode="prompt")
    app.tools = {"my_calendar_create": AppTool(approval_mode="approve")}
    server = McpServer(url="http://127.0.0.1", apps={"cal": app})
    assert (approval(server, create), approval(server, other)) == ("approve", "prompt")
    assert approval(McpServer(url="http://127.0.0.1", apps={}), create) == "auto"


def test_where_the_model_finds_a_tool():
    """Observed: a namespace for each app, and names without the app's own."""
    assert place("mcp__codex_apps__", TOOLS[0]) == (
        "mcp__codex_apps__my_calendar",
        "_create",
        "Days",
    )
    plain = {"name": "my_calendar_create"}
    assert place("mcp__lab__", plain) == ("mcp__lab__", "my_calendar_create", None)
