"""One turn of a thread that nobody sees, played in the nursery process before it forks.

What a turn imports, reads and caches at its first use is then there for every worker, and shared.
The thread leaves nothing on disk and starts no system thread: a fork would not survive those.
"""

import os
import socket
from pathlib import Path

import trio

from protocol import frames
from protocol.frames import Call, Event, Hello, StartThread
from protocol.framing import Frames
from protocol.ids import new_id
from protocol.methods import THREAD_START, TURN_COMPLETED, TURN_START
from protocol.settings import Provider, Settings
from workers.cradle import serve
from workers.link import Link

SCRIPT = Path(__file__).with_name("rehearsal.json")


async def rehearse() -> None:
    ours, theirs = socket.socketpair()
    stage = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
    behind = trio.SocketStream(trio.socket.from_stdlib_socket(theirs))
    async with behind, trio.open_nursery() as nursery, stage:
        link = Link(behind)
        link.send(Hello(os.getpid()))
        nursery.start_soon(serve, link)
        thread_id = new_id()
        said = b'{"threadId":"%b","input":[{"type":"text","text":"hi"}]}' % thread_id.encode()
        for frame in (_spec(thread_id), Call(1, THREAD_START.name, b"{}")):
            await stage.send_all(frames.encode(frame))
        await stage.send_all(frames.encode(Call(2, TURN_START.name, said)))
        await _hear_it_out(stage)


def _spec(thread_id: str) -> StartThread:
    model = Provider("rehearsal", "rehearsal", wire_api="scripted", script=str(SCRIPT))
    settings = Settings(home=os.devnull, cwd="/", model="gpt-5", provider=model)
    return StartThread(thread_id, settings, ephemeral=True)


async def _hear_it_out(stage: trio.SocketStream) -> None:
    splitter = Frames()
    async for data in stage:
        for payload in splitter.feed(bytes(data)):
            match frames.decode_up(payload):
                case Event(method=TURN_COMPLETED.name):
                    return
                case _:
                    pass
