"""Hooks of the user in real turns: what they are told, and what comes of what they say."""

import json
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import trio

from protocol.approval import CommandExecutionRequestApprovalResponse
from protocol.config import ConfigBatchWriteParams, ConfigEdit
from protocol.hook import HooksListParams
from protocol.item import CommandExecution, HookPrompt, UserMessage
from protocol.maintenance import ThreadCompactStartParams
from protocol.methods import (
    COMMAND_APPROVAL,
    CONFIG_BATCH_WRITE,
    HOOK_COMPLETED,
    HOOK_STARTED,
    HOOKS_LIST,
    ITEM_COMPLETED,
    ITEM_STARTED,
    THREAD_COMPACT_START,
    THREAD_READ,
    TURN_COMPLETED,
    TURN_INTERRUPT,
)
from protocol.thread import ThreadReadParams
from protocol.turn import TurnInterruptParams
from supervisor.hooks import fingerprint, snake
from tests.wire.test_mcp import LAB, NAMESPACE, configure, is_ready
from workers.scripted import Patch, ToolCall

COMMAND = ToolCall("exec_command", {"cmd": "echo made"})


@pytest.fixture
def log(project) -> Path:
    """What hooks note of what they are told, a line each."""
    return project / "hooks.log"


def hook(log, says="true"):
    """A program that notes what it is told, and then says this."""
    return f"(cat; echo) >> {log}; {says}"


def objects(reason):
    return f"echo {reason!r} >&2; exit 2"


def says(**output):
    return f"echo '{json.dumps(output)}'"


def specific(event, **output):
    return says(hookSpecificOutput={"hookEventName": event, **output})


def install(home, *hooks, trusted=True, timeout=None):
    """`hooks` are (event, matcher, command); the user has trusted them."""
    events, trust = {}, []
    for event, matcher, command in hooks:
        handler = {"type": "command", "command": command}
        if timeout is not None:
            handler["timeout"] = timeout
        group = (
            {"hooks": [handler]} if matcher is None else {"matcher": matcher, "hooks": [handler]}
        )
        groups = events.setdefault(event, [])
        key = f"{home / 'hooks.json'}:{snake(event)}:{len(groups)}:0"
        groups.append(group)
        hash = fingerprint(snake(event), matcher, handler)
        trust.append(f'\n[hooks.state."{key}"]\ntrusted_hash = "{hash}"\n')
    (home / "hooks.json").write_text(json.dumps({"hooks": events}))
    if trusted:
        config = home / "config.toml"
        config.write_text(config.read_text() + "".join(trust))


def told(log):
    return [json.loads(line) for line in log.read_text().splitlines() if line]


async def ends(client):
    return (await client.next(TURN_COMPLETED)).turn


async def outcome(client, event):
    run = (await client.next(HOOK_COMPLETED, lambda p: p.run.event_name == event)).run
    return run.status, [(entry.kind, entry.text) for entry in run.entries]


def outputs(provider):
    items = provider.requests[-1]["input"]
    return [item["output"] for item in items if item["type"].endswith("_output")]


async def test_hooks_see_a_turn_and_tell_the_model(home, log, connect_stdio, provider):
    """Observed: what each is told, where its words go, the notifications, the stored item."""
    context = specific("UserPromptSubmit", additionalContext="ctx")
    on = 'grep -q "stop_hook_active.:true" ' + str(log)
    install(
        home,
        ("SessionStart", "startup", hook(log, "echo welcome")),
        ("SessionStart", "resume", hook(log, "echo again")),
        (
            "UserPromptSubmit",
            None,
            hook(log, context),
        ),
        ("PreToolUse", "Bash", hook(log, specific("PreToolUse", additionalContext="before"))),
        ("PostToolUse", "*", hook(log, says(decision="block", reason="not good"))),
        ("Stop", None, hook(log, f"{on} || {{ {objects('go <on>')}; }}")),
    )
    client = await connect_stdio()
    thread = await client.start()
    for reply in (COMMAND, "one", "two"):
        provider.says(reply)
    await client.begin(thread)
    begun = await client.next(HOOK_STARTED)
    assert (begun.run.event_name, begun.run.scope, begun.run.status) == (
        "sessionStart",
        "thread",
        "running",
    )
    assert await outcome(client, "sessionStart") == ("completed", [("context", "welcome")])
    assert await outcome(client, "postToolUse") == ("blocked", [("feedback", "not good")])
    shown = await client.next(ITEM_COMPLETED, lambda p: isinstance(p.item, HookPrompt))
    [fragment] = shown.item.fragments
    assert (fragment.text, fragment.hook_run_id) == ("go <on>", f"stop:5:{home / 'hooks.json'}")
    assert (await ends(client)).status == "completed"

    texts = [
        part["text"] for item in provider.requests[-1]["input"] for part in item.get("content", ())
    ]
    tail = texts[texts.index("welcome") :]
    prompt = f'<hook_prompt hook_run_id="{fragment.hook_run_id}">go &lt;on&gt;</hook_prompt>'
    assert tail == ["welcome", "Hello", "ctx", "before", "one", prompt]
    assert outputs(provider) == ["not good"]
    events = {fact["hook_event_name"]: fact for fact in told(log)}
    assert events["SessionStart"]["source"] == "startup"
    assert events["UserPromptSubmit"]["prompt"] == "Hello"
    assert events["PreToolUse"]["tool_input"] == {"command": "echo made"}
    assert events["PostToolUse"]["tool_response"] == "made\n"
    assert events["PostToolUse"]["transcript_path"] == thread.path
    assert (events["Stop"]["stop_hook_active"], events["Stop"]["last_assistant_message"]) == (
        True,
        "two",
    )
    read = await client.call(THREAD_READ, ThreadReadParams(thread.id, include_turns=True))
    assert [i.fragments for i in read.thread.turns[0].items if isinstance(i, HookPrompt)] == [
        [fragment]
    ]


async def test_hooks_refuse_and_permit_calls(
    home,
    log,
    project,
    connect_stdio,
    provider,
):
    """Observed: what the model reads; whom a hook has an answer for is not asked."""
    configure(home, f'\n[mcp_servers.lab]\ncommand = "{sys.executable}"\nargs = ["{LAB}"]\n')
    allow = specific("PermissionRequest", decision={"behavior": "allow"})
    deny = specific("PermissionRequest", decision={"behavior": "deny", "message": "not here"})
    never = specific("PreToolUse", permissionDecision="deny", permissionDecisionReason="{never}")
    install(
        home,
        ("PreToolUse", "^Bash$", f"if grep -q forbidden; then {never}; fi"),
        ("PreToolUse", "Edit|Write", objects("locked")),
        ("PreToolUse", "mcp__lab__.*", objects("no spelling")),
        ("PermissionRequest", "Bash", f"if grep -q kept; then {deny}; else {allow}; fi"),
        ("PostToolUse", None, hook(log)),
    )
    client = await connect_stdio()
    thread = await client.start(approval_policy="untrusted")
    await is_ready(client)

    async def refused(*calls):
        provider.says(*calls)
        provider.says("done")
        await client.begin(thread)
        await ends(client)
        return outputs(provider)[-len(calls) :]

    patch = "*** Begin Patch\n*** Add File: b.txt\n+hello\n*** End Patch\n"
    command, file, spelling = await refused(
        ToolCall("exec_command", {"cmd": "touch forbidden"}),
        Patch(patch),
        ToolCall("spell", {"word": "owl"}, NAMESPACE),
    )
    assert command == "Command blocked by PreToolUse hook: {never}. Command: touch forbidden"
    assert file == f"Command blocked by PreToolUse hook: locked. Command: {patch}"
    assert spelling == "Tool call blocked by PreToolUse hook: no spelling. Tool: mcp__lab__spell"
    [denied] = await refused(ToolCall("exec_command", {"cmd": "touch kept"}))
    assert denied.endswith("not here")
    [_] = await refused(ToolCall("exec_command", {"cmd": "touch made"}))
    assert sorted(path.name for path in project.iterdir() if path.suffix != ".log") == ["made"]
    assert [fact["tool_input"]["command"] for fact in told(log)] == ["touch made"]


async def test_a_hook_without_an_opinion_leaves_the_question_to_the_user(
    home, connect_stdio, provider
):
    """Observed: the question comes once the hook is done."""
    install(home, ("PermissionRequest", None, "true"))
    client = await connect_stdio()
    thread = await client.start(approval_policy="untrusted")
    provider.says(ToolCall("exec_command", {"cmd": "touch made"}))
    provider.says("done")
    await client.begin(thread)
    id, _ = await client.question(COMMAND_APPROVAL)
    assert await outcome(client, "permissionRequest") == ("completed", [])
    await client.answer(id, CommandExecutionRequestApprovalResponse("accept"))
    assert (await ends(client)).status == "completed"


async def test_a_prompt_or_a_compaction_that_hooks_do_not_want(home, connect_stdio, provider):
    """Observed: the model hears nothing of it, the turn counts as completed, the next one runs."""
    stop = says(**{"continue": False, "stopReason": "not now"})
    install(
        home,
        ("UserPromptSubmit", None, f"if grep -q secret; then {objects('it is secret')}; fi"),
        ("PreCompact", "manual", stop),
    )
    client = await connect_stdio()
    thread = await client.start()
    await client.begin(thread, "a secret")
    assert await outcome(client, "userPromptSubmit") == ("blocked", [("feedback", "it is secret")])
    assert (await ends(client)).status == "completed"
    provider.says("hi")
    await client.begin(thread, "something else")
    item = await client.next(ITEM_COMPLETED, lambda p: isinstance(p.item, UserMessage))
    assert item.item.content[0].text == "something else"
    await ends(client)
    await client.call(THREAD_COMPACT_START, ThreadCompactStartParams(thread.id))
    assert await outcome(client, "preCompact") == ("stopped", [("stop", "not now")])
    assert (await ends(client)).status == "completed"
    assert len(provider.requests) == 1
    assert "secret" not in json.dumps(provider.requests)


async def test_hooks_that_are_broken_stop_nothing(home, connect_stdio, provider):
    """Ours: each failure is told, and the turn goes on; what cannot be read is not kept."""
    install(
        home,
        ("UserPromptSubmit", None, "exec sleep 600"),
        ("UserPromptSubmit", None, "/no/such/program"),
        ("UserPromptSubmit", None, "kill -9 $$"),
        ("UserPromptSubmit", None, "exec 0<&-; echo '{\"decision\":'"),
        ("UserPromptSubmit", None, "head -c 3000000 /dev/zero | tr '\\0' x"),
        timeout=1,
    )
    client = await connect_stdio()
    thread = await client.start()
    provider.says("hi")
    await client.begin(thread, "x" * 200_000)  # more than a pipe holds
    found = [await outcome(client, "userPromptSubmit") for _ in range(5)]
    assert found[:4] == [
        ("failed", [("error", "hook timed out after 1s")]),
        ("failed", [("error", "hook exited with code 127")]),
        ("failed", [("error", "hook exited without a status code")]),
        ("failed", [("error", "hook returned invalid user prompt submit JSON output")]),
    ]
    status, [(kind, text)] = found[4]
    assert (status, kind) == ("completed", "context")
    assert len(text) < 20_000
    assert (await ends(client)).status == "completed"


async def test_a_hook_that_nobody_trusts_is_not_run(home, log, connect_stdio, provider):
    """Observed: by its hash; so is one that has changed since."""
    install(home, ("UserPromptSubmit", None, hook(log)))
    file = home / "hooks.json"
    file.write_text(file.read_text().replace("cat;", "cat;;"))
    client = await connect_stdio()
    provider.says("hi")
    await client.begin(await client.start())
    await ends(client)
    assert not log.exists()


async def test_a_thread_has_a_hook_once_the_user_trusts_it(home, log, connect_stdio, provider):
    """Observed: `reloadUserConfig` is for threads that are loaded, too."""
    install(home, ("UserPromptSubmit", None, hook(log)), trusted=False)
    client = await connect_stdio()
    thread = await client.start()
    provider.says("hi")
    await client.begin(thread)
    await ends(client)
    listed = await client.call(HOOKS_LIST, HooksListParams(cwds=[thread.cwd]))
    [found] = listed.data[0].hooks
    trust = {found.key: {"trusted_hash": found.current_hash}}
    edit = ConfigEdit("hooks.state", "upsert", trust)
    await client.call(CONFIG_BATCH_WRITE, ConfigBatchWriteParams([edit], reload_user_config=True))
    assert not log.exists()
    provider.says("hi")
    await client.begin(thread)
    await ends(client)
    assert [fact["prompt"] for fact in told(log)] == ["Hello"]


async def test_an_interrupt_ends_the_hook_that_runs(home, log, connect_stdio, provider):
    """Ours: it is told to have ended, and so has its program."""
    install(home, ("PreToolUse", None, f"echo $$ > {log}; exec sleep 600"))
    client = await connect_stdio()
    thread = await client.start()
    provider.says(COMMAND)
    turn = await client.begin(thread)
    await client.next(HOOK_STARTED)
    while not (log.exists() and log.read_text().strip()):
        await trio.sleep(0.01)
    program = None
    with suppress(psutil.NoSuchProcess):
        program = psutil.Process(int(log.read_text()))
    await client.call(TURN_INTERRUPT, TurnInterruptParams(thread.id, turn.id))
    assert await outcome(client, "preToolUse") == (
        "failed",
        [("error", "the hook was interrupted")],
    )
    assert (await ends(client)).status == "interrupted"
    assert program is not None
    assert not program.is_running()
    begun = [heard.params.item for heard in client.heard if heard.method == ITEM_STARTED.name]
    assert not [item for item in begun if isinstance(item, CommandExecution)]


async def test_a_program_of_the_user_is_told_of_turns_that_have_ended(
    home, log, connect_stdio, provider
):
    """Observed: `notify`, its last argument; not of a turn that has failed."""
    program = log.with_name("notify")
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {log}.new\nmv {log}.new {log}\n')
    program.chmod(0o755)
    config = home / "config.toml"
    config.write_text(f'notify = ["{program}", "first"]\n' + config.read_text())
    client = await connect_stdio()
    thread = await client.start()
    provider.sends(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
    await client.begin(thread, "fail")
    assert (await ends(client)).status == "failed"
    provider.says("all done")
    turn = await client.begin(thread, "do it")
    await ends(client)
    with trio.fail_after(10):
        while not log.exists():
            await trio.sleep(0.01)
    first, last = log.read_text().splitlines()
    assert first == "first"
    assert json.loads(last) == {
        "type": "agent-turn-complete",
        "thread-id": thread.id,
        "turn-id": turn.id,
        "cwd": thread.cwd,
        "client": "test",
        "input-messages": ["do it"],
        "last-assistant-message": "all done",
    }
