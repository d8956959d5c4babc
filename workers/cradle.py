"""What a forked worker does: wait to be told whom to be, then be it."""

import os
import socket
from typing import Any

import msgspec
import trio

from protocol.errors import RpcError
from protocol.frames import Bye, Event, Hello, StartCommands, StartThread
from protocol.methods import REQUESTS
from protocol.seldom import StartSearches, StartServices
from workers import birth, command, groups, orphans
from workers.link import Link
from workers.mailbox import HANDLERS
from workers.process import live, reap
from workers.thread import LoadedThread


def warm() -> None:
    """Import and run once what every thread runs: called in the nursery process, before forking."""
    frame = Event(0, "", b"")
    msgspec.msgpack.decode(msgspec.msgpack.encode(frame))
    for row in REQUESTS.values():
        if row.name in HANDLERS:
            try:
                row.decode(b"{}")
            except RpcError:
                continue


def main(descriptor: int) -> None:
    """Be a worker on this link until it ends."""
    trio.run(_main, descriptor)


async def _main(descriptor: int) -> None:
    sock = trio.socket.from_stdlib_socket(socket.socket(fileno=descriptor))
    link = Link(trio.SocketStream(sock))
    link.send(Hello(os.getpid()))
    async with trio.open_nursery() as nursery:
        if here := groups.here():
            nursery.start_soon(here.watch, reap)
        else:
            nursery.start_soon(orphans.keep_reaping, reap)
        await serve(link)
        nursery.cancel_scope.cancel()
    await orphans.end(live)


async def serve(link: Link) -> None:
    """Wait to be told whom to be, then be it until `Bye` or the end of the link."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(link.write)
        incoming = link.read()
        async for frame in incoming:
            match frame:
                case StartThread():
                    await _be(frame, link, incoming, nursery)
                case StartCommands():
                    await command.be(link, incoming, nursery)
                case StartSearches():
                    from workers import search  # noqa: PLC0415 - one worker of all needs it

                    await search.be(link, incoming, nursery)
                case StartServices():
                    from workers import services  # noqa: PLC0415 - as above

                    await services.be(frame, link, incoming, nursery)
                case _:
                    pass  # nobody has been born to hear it
            break
        nursery.cancel_scope.cancel()


async def _be(spec: StartThread, link: Link, incoming: Any, nursery: trio.Nursery) -> None:
    link.next_seq = spec.next_seq
    thread = LoadedThread(spec, link, nursery)
    birth.begin(thread)
    grace = 1.0
    try:
        async for frame in incoming:
            if isinstance(frame, Bye):
                grace = frame.seconds
                break
            thread.take(frame)
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + grace):
            await thread.end()
            await link.flush()
