"""`notify`: a program of the user's that is told of each turn that has come to its end.

It gets one more argument, JSON with the reference server's keys (observed); nobody waits for it,
and what it says is nobody's business.
"""

from typing import TYPE_CHECKING

import msgspec
import trio

from protocol.frames import Log
from protocol.policy import DangerFullAccess
from protocol.settings import ShellEnvironment
from sandbox import plan
from workers.process import Process
from workers.variables import variables

if TYPE_CHECKING:
    from workers.running import RunningTurn

SECONDS = 60.0  # then it is ended: it should say something, and not stay


def notify(turn: "RunningTurn") -> None:
    """Agents of the thread are its own affair."""
    if turn.settings.notify and turn.thread.duty is None:
        turn.thread.nursery.start_soon(_run, turn, _told(turn))


def _told(turn: "RunningTurn") -> str:
    told = {
        "type": "agent-turn-complete",
        "thread-id": turn.thread_id,
        "turn-id": turn.id,
        "cwd": turn.settings.cwd,
        "client": turn.settings.originator,
        "input-messages": turn.heard,
        "last-assistant-message": turn.said,
    }
    return msgspec.json.encode(told).decode()


async def _run(turn: "RunningTurn", told: str) -> None:
    settings, env = turn.settings, variables(ShellEnvironment(), turn.thread_id)
    argv = [*settings.notify, told]
    try:
        launch = plan(DangerFullAccess(), argv, settings.cwd, env)
        process = Process(launch, limits=settings.limits)
    except (OSError, ValueError) as error:  # ValueError: a NUL in an argument
        problem = f"notify: {settings.notify[0]} cannot be started: {error}"
        turn.thread.link.send(Log("warning", problem))
        return
    with trio.move_on_after(SECONDS):
        await process.run(lambda _: None)
