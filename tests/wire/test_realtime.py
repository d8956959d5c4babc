"""Realtime sessions: a provider of ours on loopback talks, a real thread works for it."""

import base64
import json

import h11
import pytest
import trio
from trio_websocket import ConnectionClosed, serve_websocket

from protocol.errors import RpcError
from protocol.item import UserMessage
from protocol.methods import (
    ITEM_COMPLETED,
    THREAD_REALTIME_APPEND_AUDIO,
    THREAD_REALTIME_APPEND_TEXT,
    THREAD_REALTIME_CLOSED,
    THREAD_REALTIME_ERROR,
    THREAD_REALTIME_ITEM_ADDED,
    THREAD_REALTIME_OUTPUT_AUDIO_DELTA,
    THREAD_REALTIME_SDP,
    THREAD_REALTIME_START,
    THREAD_REALTIME_STARTED,
    THREAD_REALTIME_STOP,
    THREAD_REALTIME_TRANSCRIPT_DELTA,
    THREAD_REALTIME_TRANSCRIPT_DONE,
    TURN_COMPLETED,
    TURN_STARTED,
)
from protocol.realtime import (
    ThreadRealtimeAppendAudioParams,
    ThreadRealtimeAppendTextParams,
    ThreadRealtimeAudioChunk,
    ThreadRealtimeStartParams,
    ThreadRealtimeStopParams,
    WebrtcTransport,
)

SECOND = base64.b64encode(bytes(48_000)).decode()  # of silence


class Voice:
    """The provider: `heard` is what it is told, on all connections."""

    def __init__(self) -> None:
        self.requests, self.heard, self.sockets = [], [], []
        self._more = trio.Event()

    async def serve(self, *, task_status=trio.TASK_STATUS_IGNORED):
        await serve_websocket(
            self._visit, "127.0.0.1", 0, ssl_context=None, task_status=task_status
        )

    async def _visit(self, request):
        self.requests.append((request.path, dict(request.headers)))
        socket = await request.accept()
        self.sockets.append(socket)
        try:
            while True:
                self.heard.append(json.loads(await socket.get_message()))
                self._more.set()
                self._more = trio.Event()
        except ConnectionClosed:
            self.sockets.remove(socket)
            self._more.set()
            self._more = trio.Event()

    async def says(self, **message):
        await self.sockets[-1].send_message(json.dumps(message))

    async def told(self, kind, count=1):
        """The message of this kind that is the `count`th."""
        with trio.fail_after(10):
            while len(found := [m for m in self.heard if m["type"] == kind]) < count:
                await self._more.wait()
        return found[count - 1]

    async def left(self):
        with trio.fail_after(10):
            while self.sockets:
                await self._more.wait()


@pytest.fixture
async def voice(home, nursery):
    voice = Voice()
    server = await nursery.start(voice.serve)
    config = home / "config.toml"
    base = f'experimental_realtime_ws_base_url = "http://127.0.0.1:{server.port}"\n'
    config.write_text(base + config.read_text() + "\n[features]\nrealtime_conversation = true\n")
    yield voice
    nursery.cancel_scope.cancel()


def start(thread, **params):
    return ThreadRealtimeStartParams(thread.id, params.pop("modality", "audio"), **params)


async def begin(client, **params):
    thread = await client.start()
    await client.call(THREAD_REALTIME_START, start(thread, **params))
    await client.next(THREAD_REALTIME_STARTED)
    return thread


def words(message):
    [part] = message["item"]["content"]
    return part["text"]


async def test_sound_and_words_go_both_ways(voice, connect_stdio):
    """Observed: the handshake, the session, what is sent, what clients are told."""
    client = await connect_stdio()
    thread = await begin(client, prompt="be nice")
    [(path, headers)] = voice.requests
    assert path == "/v1/realtime?model=gpt-realtime-1.5"
    assert headers[b"x-session-id"].decode() == thread.id
    session = (await voice.told("session.update"))["session"]
    assert session["instructions"].startswith("be nice\n")
    assert session["audio"]["output"]["voice"] == "marin"
    chunk = ThreadRealtimeAudioChunk("AQID", 24_000, 1)
    await client.call(
        THREAD_REALTIME_APPEND_AUDIO, ThreadRealtimeAppendAudioParams(thread.id, chunk)
    )
    await client.call(
        THREAD_REALTIME_APPEND_TEXT, ThreadRealtimeAppendTextParams(thread.id, "hello")
    )
    assert (await voice.told("input_audio_buffer.append"))["audio"] == "AQID"
    assert words(await voice.told("conversation.item.create")) == "[USER] hello"

    await voice.says(type="response.output_audio.delta", delta=SECOND, item_id="i1")
    heard = (await client.next(THREAD_REALTIME_OUTPUT_AUDIO_DELTA)).audio
    assert (heard.data, heard.sample_rate, heard.item_id) == (SECOND, 24_000, "i1")
    await voice.says(type="response.output_audio_transcript.delta", delta="Hi")
    more = await client.next(THREAD_REALTIME_TRANSCRIPT_DELTA)
    assert (more.role, more.delta) == ("assistant", "Hi")
    await voice.says(
        type="conversation.item.input_audio_transcription.completed", transcript="hello"
    )
    done = await client.next(THREAD_REALTIME_TRANSCRIPT_DONE)
    assert (done.role, done.text) == ("user", "hello")
    await voice.says(type="input_audio_buffer.speech_started", item_id="i2")
    cut = await voice.told("conversation.item.truncate")
    assert (cut["item_id"], cut["audio_end_ms"]) == ("i1", 1000)
    for nonsense in ("{", "[]", '{"type":5}', '{"type":"error_of_tomorrow"}'):
        await voice.sockets[-1].send_message(nonsense)

    await client.call(THREAD_REALTIME_STOP, ThreadRealtimeStopParams(thread.id))
    assert (await client.next(THREAD_REALTIME_CLOSED)).reason == "requested"
    await voice.left()
    with pytest.raises(RpcError, match="conversation is not running"):
        await client.call(
            THREAD_REALTIME_APPEND_TEXT, ThreadRealtimeAppendTextParams(thread.id, "late")
        )


async def hand_over(voice, text, call):
    item = {"id": f"i{call}", "type": "function_call", "name": "background_agent", "call_id": call}
    item["arguments"] = json.dumps({"prompt": text})
    await voice.says(type="conversation.item.done", item=item)


async def test_what_is_handed_over_is_done_in_a_turn(voice, connect_stdio, provider):
    """Observed: the delegation, the way back; ours: a second wish is told that it was passed on."""
    client = await connect_stdio()
    thread = await begin(client)
    goes_on = trio.Event()
    provider.says(goes_on, "listed")
    provider.says("all done")
    await voice.says(
        type="conversation.item.input_audio_transcription.completed", transcript="list & count"
    )
    await hand_over(voice, "list files", "c1")
    shown = (await client.next(THREAD_REALTIME_ITEM_ADDED)).item
    assert shown["type"] == "handoff_request"
    assert [said["text"] for said in shown["active_transcript"]] == ["list & count", "list files"]
    await client.next(TURN_STARTED)
    item = (await client.next(ITEM_COMPLETED, lambda p: isinstance(p.item, UserMessage))).item
    assert "<input>list files</input>" in item.content[0].text
    assert "user: list &amp; count\n" in item.content[0].text
    await provider.asked(1)
    await hand_over(voice, "count them too", "c2")
    passed = await voice.told("conversation.item.create")
    assert (passed["item"]["call_id"], passed["item"]["type"]) == ("c2", "function_call_output")
    await voice.told("response.create")
    await voice.says(type="response.created", response={"id": "r1"})
    goes_on.set()
    assert (await client.next(TURN_COMPLETED)).turn.status == "completed"
    await voice.told("conversation.item.create", 4)
    told = [m["item"] for m in voice.heard if m["type"] == "conversation.item.create"]
    assert [i["content"][0]["text"] for i in told[1:3]] == [
        "[BACKEND] listed",
        "[BACKEND] all done",
    ]
    assert told[3]["call_id"] == "c1"
    assert len([m for m in voice.heard if m["type"] == "response.create"]) == 1
    await voice.says(type="response.done", response={"id": "r1"})
    await voice.told("response.create", 2)

    provider.says("typed answer")
    await client.begin(thread, "typed")
    await client.next(TURN_COMPLETED)
    assert words(await voice.told("conversation.item.create", 5)) == "[USER] typed"


async def test_how_sessions_end(voice, connect_stdio):
    """Observed: the reasons; ours: what cannot begin leaves a session that runs as it is."""
    client = await connect_stdio()
    thread = await begin(client, realtime_session_id="mine")
    with pytest.raises(RpcError, match="`cove` is not supported for v2; supported voices: alloy"):
        await client.call(THREAD_REALTIME_START, start(thread, voice="cove"))
    assert len(voice.sockets) == 1
    await voice.says(type="error", error={"message": "went wrong"})
    assert (await client.next(THREAD_REALTIME_ERROR)).message == "went wrong"
    assert (await client.next(THREAD_REALTIME_CLOSED)).reason == "error"
    await voice.left()
    await client.call(THREAD_REALTIME_START, start(thread))
    await client.next(THREAD_REALTIME_STARTED)
    await client.call(THREAD_REALTIME_START, start(thread, modality="text"))
    await client.next(THREAD_REALTIME_STARTED)
    assert (await voice.told("session.update", 3))["session"]["output_modalities"] == ["text"]
    await voice.sockets[-1].aclose()
    assert (await client.next(THREAD_REALTIME_CLOSED)).reason == "transport_closed"
    await voice.left()


async def test_a_provider_that_cannot_be_reached_is_told_of(home, connect_stdio):
    """Observed: by a notification, since the session begins in the background."""
    config = home / "config.toml"
    base = 'experimental_realtime_ws_base_url = "http://127.0.0.1:9"\n'
    config.write_text(base + config.read_text() + "\n[features]\nrealtime_conversation = true\n")
    client = await connect_stdio()
    thread = await client.start()
    await client.call(THREAD_REALTIME_START, start(thread))
    told = await client.next(THREAD_REALTIME_ERROR)
    assert told.message.startswith("cannot connect to http://127.0.0.1:9/v1/realtime?model=")


async def test_a_webrtc_call_goes_before_the_socket(home, connect_stdio, nursery):
    """Observed: where the offer goes; ours: the answer, and the socket beside the call."""
    seen = []

    async def serve(stream):
        connection = h11.Connection(h11.SERVER)
        body = b""
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                connection.receive_data(await stream.receive_some())
            elif isinstance(event, h11.Request):
                seen.append(event.target.decode())
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
        seen.append(body)
        status = 200 if seen[0] == seen[-2] else 404
        place = [("location", "/v1/realtime/calls/rtc_7"), ("content-length", "8")]
        data = connection.send(h11.Response(status_code=status, headers=place))
        await stream.send_all(data + connection.send(h11.Data(b"v=answer")))
        await stream.aclose()

    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, serve, [listener])
    port = listener.socket.getsockname()[1]
    config = home / "config.toml"
    base = f'experimental_realtime_ws_base_url = "http://127.0.0.1:{port}"\n'
    config.write_text(base + config.read_text() + "\n[features]\nrealtime_conversation = true\n")
    client = await connect_stdio()
    thread = await client.start()
    await client.call(THREAD_REALTIME_START, start(thread, transport=WebrtcTransport("v=offer")))
    assert (await client.next(THREAD_REALTIME_SDP)).sdp == "v=answer"
    assert (await client.next(THREAD_REALTIME_ERROR)).message.endswith("HTTP status 404")
    assert seen[0] == "/v1/realtime/calls"
    assert b"v=offer" in seen[1]
    assert b'"type":"realtime"' in seen[1]
    assert seen[2] == "/v1/realtime?call_id=rtc_7"
    nursery.cancel_scope.cancel()
