"""Which tools a model is offered, and who serves its calls."""

import pytest

from protocol import catalogue
from protocol.settings import Provider, Settings
from protocol.thread import DynamicToolSpec
from workers.tools import Call
from workers.tools.dynamic import DynamicTools, serve_dynamic
from workers.tools.plan import UPDATE_PLAN
from workers.tools.registry import offered, serving
from workers.tools.shell import SHELL

MODEL = catalogue.describe("gpt-5.4")
NONE = DynamicTools([])


def settings(**others):
    return Settings(home="/none", cwd="/", model="gpt-5.4", provider=Provider("p", "p"), **others)


def lent(*names, namespace=None):
    specs = [DynamicToolSpec("x", {}, name, namespace=namespace) for name in names]
    return DynamicTools(specs)


def names(settings, model=MODEL, dynamic=NONE):
    return [spec.get("name", spec["type"]) for spec in offered(settings, model, dynamic)]


def test_the_order_is_always_the_same():
    """Observed: a provider's cache holds as long as the beginning of the request."""
    assert names(settings(), dynamic=lent("mine")) == [
        "exec_command",
        "write_stdin",
        "update_plan",
        "request_user_input",
        "apply_patch",
        "web_search",
        "view_image",
        "mine",
    ]


def test_without_unified_exec_there_is_one_shell():
    """Observed."""
    assert names(settings(features={"unified_exec": False}))[:2] == ["shell_command", "update_plan"]


def test_what_is_turned_off_or_not_understood_is_not_offered():
    """Observed: an unknown model gets no apply_patch."""
    unknown = catalogue.describe("somebody-elses")

    assert not {"web_search", "apply_patch"} & {*names(settings(web_search="disabled"), unknown)}


@pytest.mark.parametrize(
    ("call", "tool"),
    [
        (Call("c", "update_plan", "{}"), UPDATE_PLAN),
        (Call("c", "shell", "{}"), SHELL),  # not offered, but models know it
        (Call("c", "nope", "{}"), None),
        (Call("c", "update_plan", "{}", "words"), None),
    ],
)
def test_a_call_is_served_by_the_tool_of_its_name(call, tool):
    """Observed."""
    assert serving(call, settings(), MODEL, NONE) is tool


def test_a_clients_tool_does_not_hide_one_that_is_offered():
    """Observed: ours is called."""
    found = serving(Call("c", "update_plan", "{}"), settings(), MODEL, lent("update_plan"))

    assert found is UPDATE_PLAN


def test_a_clients_tool_hides_one_that_is_not_offered():
    """Ours: the model can only mean the one that it was told of."""
    found = serving(Call("c", "shell", "{}"), settings(), MODEL, lent("shell"))

    assert found is not None
    assert found.serve is serve_dynamic
