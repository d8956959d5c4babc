"""feedback/upload, and thread/realtime/* as far as there is any."""

import json
from functools import partial
from pathlib import Path

import pytest
import trio

from protocol.errors import RpcError
from protocol.feedback import FeedbackUploadParams
from protocol.methods import (
    FEEDBACK_UPLOAD,
    THREAD_REALTIME_LIST_VOICES,
    THREAD_REALTIME_START,
)
from protocol.realtime import ThreadRealtimeListVoicesParams, ThreadRealtimeStartParams


def configure(home: Path, text: str) -> None:
    file = home / "config.toml"
    file.write_text(file.read_text() + text)


async def take(answer: bytes, got: list[dict], stream: trio.SocketStream) -> None:
    """One request of HTTP/1.1 with a length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += await stream.receive_some()
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split()[0])
    while len(body) < length:
        body += await stream.receive_some()
    got.append(json.loads(body))
    close = b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    await stream.send_all(b"HTTP/1.1 " + answer + close)


async def test_feedback_goes_where_the_operator_says_with_logs_if_asked(
    home, connect_stdio, tmp_path, nursery
):
    """Ours: as JSON, the thread's own file among the logs."""
    got: list[dict] = []
    serve = partial(trio.serve_tcp, partial(take, b"204 No Content", got), 0, host="127.0.0.1")
    [listener] = await nursery.start(serve)
    port = listener.socket.getsockname()[1]
    configure(home, f'\n[atrio]\nfeedback_url = "http://127.0.0.1:{port}/feedback"\n')
    client = await connect_stdio()
    log = tmp_path / "log.txt"
    log.write_text("what went wrong")
    params = FeedbackUploadParams("bug", True, reason="so", extra_log_files=[str(log)])
    done = await client.call(FEEDBACK_UPLOAD, params)

    assert done.thread_id.startswith("no-active-thread-")
    [told] = got
    assert (told["classification"], told["reason"]) == ("bug", "so")
    assert told["logs"] == {str(log): "what went wrong"}
    without = FeedbackUploadParams("good", False, extra_log_files=[str(log)])
    await client.call(FEEDBACK_UPLOAD, without)
    assert got[1]["logs"] == {}
    with pytest.raises(RpcError, match=r"cannot be read: .*nothing was sent"):
        missing = FeedbackUploadParams("bug", True, extra_log_files=[str(tmp_path / "none")])
        await client.call(FEEDBACK_UPLOAD, missing)
    assert len(got) == 2
    nursery.cancel_scope.cancel()


async def test_feedback_with_nowhere_to_go_is_refused(connect_stdio):
    """Ours: the reference server would send it to its maker."""
    client = await connect_stdio()
    with pytest.raises(RpcError, match=r"set `atrio.feedback_url` .*nothing was sent"):
        await client.call(FEEDBACK_UPLOAD, FeedbackUploadParams("bug", False))


async def test_a_thread_that_cannot_be_talked_with_says_so(connect_stdio):
    """Observed, where the feature is off."""
    client = await connect_stdio()
    thread = await client.start()
    voices = await client.call(THREAD_REALTIME_LIST_VOICES, ThreadRealtimeListVoicesParams())
    assert voices.voices.default_v2 in voices.voices.v2
    with pytest.raises(RpcError, match="does not support realtime conversation"):
        await client.call(THREAD_REALTIME_START, ThreadRealtimeStartParams(thread.id, "text"))
