"""A command worker over memory streams: real processes, and a supervisor that takes its time."""

import os
from base64 import b64decode
from contextlib import aclosing, asynccontextmanager

import msgspec
import trio
import trio.testing

from protocol import frames
from protocol.command import CommandExecResponse
from protocol.frames import Bye, Call, Cancel, Event, Failed, Reply, Spawn, Taken
from protocol.framing import Frames
from workers.capture import text_of
from workers.command import be
from workers.link import Link
from workers.spawned import WINDOW_BYTES


class Supervisor:
    """The other end of the link."""

    def __init__(self, stream):
        self._stream = stream
        self._splitter = Frames()
        self._heard = []

    async def tell(self, *down):
        await self._stream.send_all(b"".join(map(frames.encode, down)))

    async def hear(self):
        while not self._heard:
            data = await self._stream.receive_some()
            self._heard += [frames.decode_up(payload) for payload in self._splitter.feed(data)]
        return self._heard.pop(0)

    async def hear_until(self, kind):
        """Everything up to the first frame of this kind."""
        heard = [await self.hear()]
        while not isinstance(heard[-1], kind):
            heard.append(await self.hear())
        return heard


@asynccontextmanager
async def working():
    ours, theirs = trio.testing.memory_stream_pair()
    link = Link(theirs)
    with trio.fail_after(5):
        async with aclosing(link.read()) as incoming, trio.open_nursery() as nursery:
            nursery.start_soon(link.write)
            nursery.start_soon(be, link, incoming, nursery)
            yield Supervisor(ours)
            nursery.cancel_scope.cancel()


def open_files():
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - Path.iterdir holds one itself


def spec(n, script, **more):
    argv = ["/bin/sh", "-c", script]
    return Spawn(n=n, id="p", answer="atEnd", argv=argv, cwd="/", env={}, **more)


def output(events):
    deltas = [msgspec.json.decode(e.body)["params"] for e in events if isinstance(e, Event)]
    return b"".join(b64decode(delta["deltaBase64"]) for delta in deltas)


async def test_the_end_of_a_command_is_its_reply():
    """Ours: the number of the call names the process."""
    async with working() as supervisor:
        await supervisor.tell(spec(7, "echo out; echo err >&2; exit 3"))

        reply = await supervisor.hear()

    assert isinstance(reply, Reply)
    done = msgspec.json.decode(reply.body, type=CommandExecResponse)
    assert (reply.n, done) == (7, CommandExecResponse(exit_code=3, stdout="out\n", stderr="err\n"))


async def test_a_process_whose_output_is_not_taken_waits_and_others_run_on():
    """Ours: a window for each process, so that one slow client slows itself only."""
    size = 8 * WINDOW_BYTES
    async with working() as supervisor:
        await supervisor.tell(spec(1, f"head -c {size} /dev/zero; exit 3", stream=True))
        await supervisor.tell(spec(2, "sleep 0.3"))
        heard = await supervisor.hear_until(Reply)

        assert heard[-1].n == 2
        assert len(output(heard)) < 2 * WINDOW_BYTES

        while True:  # from here on everything is taken at once
            await supervisor.tell(Taken(1, WINDOW_BYTES))
            heard.append(await supervisor.hear())
            if isinstance(heard[-1], Reply):
                break

    assert heard[-1].n == 1
    assert output(heard) == bytes(size)


async def test_nobody_hears_of_a_process_whose_client_has_gone():
    """Ours: it is ended, and its call is not answered."""
    async with working() as supervisor:
        await supervisor.tell(spec(1, "echo up; exec sleep 60", stream=True))
        await supervisor.hear()
        await supervisor.tell(Cancel(1), spec(2, "sleep 0.2"))

        assert (await supervisor.hear()).n == 2


async def test_what_comes_after_the_end_is_answered():
    """Ours: the supervisor could not know yet."""
    async with working() as supervisor:
        await supervisor.tell(spec(1, "true"))
        await supervisor.hear()
        await supervisor.tell(Call(2, "command/exec/terminate", b'{"processId":"p"}', 1))

        late = await supervisor.hear()

    assert isinstance(late, Failed)
    assert late.message == 'no active command/exec for process id "p"'


async def test_the_last_output_before_an_end_by_force_is_told():
    """Ours: what had been written by then, and nothing of what it says to the signal."""
    script = "trap 'echo term' TERM; printf x%.0s $(seq 1000); while :; do sleep 0.05; done"
    async with working() as supervisor:
        await supervisor.tell(spec(1, script, timeout_ms=400))

        reply = await supervisor.hear()

    done = msgspec.json.decode(reply.body, type=CommandExecResponse)
    assert done == CommandExecResponse(exit_code=124, stdout="x" * 1000, stderr="")


async def test_goodbye_ends_what_runs_and_says_so():
    """Ours: clients of a server that stops get their answers."""
    async with working() as supervisor:
        await supervisor.tell(spec(1, "exec sleep 60"), Bye(3.0))

        reply = await supervisor.hear()

    assert msgspec.json.decode(reply.body)["exitCode"] == -1


async def test_a_worker_leaves_no_descriptor_open():
    """Ours: a pool worker lives as long as the server."""
    async with working() as supervisor:
        await supervisor.tell(spec(1, "true"))
        await supervisor.hear()
        before = open_files()
        for n in range(2, 12):
            await supervisor.tell(spec(n, "echo x; true", tty=n % 2 == 0, stdin=True))
            await supervisor.hear_until(Reply)

        assert open_files() == before


def test_text_that_is_not_utf8_is_taken_for_western():
    """Observed: the charset is guessed."""
    assert text_of(b"caf\xe9") == "caf\u00e9"


def test_text_in_utf16_is_known_by_its_mark():
    """Observed."""
    assert text_of(b"\xff\xfeh\0i\0") == text_of(b"\xfe\xff\0h\0i") == "hi"


def test_a_cap_does_not_leave_half_a_character():
    """Ours."""
    assert text_of("a\u20ac".encode()[:-1], cut=True) == "a"


def test_text_with_one_bad_byte_keeps_its_other_characters():
    """Ours: a guess must not spoil what is good UTF-8."""
    assert text_of("\u20ac".encode() + b"\xff") == "\u20ac\ufffd"
