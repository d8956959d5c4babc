"""thread/realtime/*: which voices there are, and that no thread here can be talked with yet.

The reference server says the same of every thread unless its feature is on, which it is not by
default; a client that asks takes the answer as a no and stays with turns.
"""

from protocol.errors import RpcError, invalid
from protocol.methods import (
    THREAD_REALTIME_APPEND_AUDIO,
    THREAD_REALTIME_APPEND_TEXT,
    THREAD_REALTIME_LIST_VOICES,
    THREAD_REALTIME_START,
    THREAD_REALTIME_STOP,
)
from protocol.realtime import (
    RealtimeVoicesList,
    ThreadRealtimeAppendAudioParams,
    ThreadRealtimeAppendAudioResponse,
    ThreadRealtimeAppendTextParams,
    ThreadRealtimeAppendTextResponse,
    ThreadRealtimeListVoicesParams,
    ThreadRealtimeListVoicesResponse,
    ThreadRealtimeStartParams,
    ThreadRealtimeStartResponse,
    ThreadRealtimeStopParams,
    ThreadRealtimeStopResponse,
)
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.host import Host

VOICES = RealtimeVoicesList(
    v1=["juniper", "maple", "spruce", "ember", "vale", "breeze", "arbor", "sol", "cove"],
    v2=[
        "alloy",
        "ash",
        "ballad",
        "coral",
        "echo",
        "sage",
        "shimmer",
        "verse",
        "marin",
        "cedar",
    ],
    default_v1="cove",
    default_v2="marin",
)


@serves(THREAD_REALTIME_LIST_VOICES)
def thread_realtime_list_voices(
    _host: Host, _client: Connection, _params: ThreadRealtimeListVoicesParams
) -> ThreadRealtimeListVoicesResponse:
    return ThreadRealtimeListVoicesResponse(VOICES)


@serves(THREAD_REALTIME_START)
def thread_realtime_start(
    host: Host, _client: Connection, params: ThreadRealtimeStartParams
) -> ThreadRealtimeStartResponse:
    raise _unsupported(host, params.thread_id)


@serves(THREAD_REALTIME_APPEND_AUDIO)
def thread_realtime_append_audio(
    host: Host, _client: Connection, params: ThreadRealtimeAppendAudioParams
) -> ThreadRealtimeAppendAudioResponse:
    raise _unsupported(host, params.thread_id)


@serves(THREAD_REALTIME_APPEND_TEXT)
def thread_realtime_append_text(
    host: Host, _client: Connection, params: ThreadRealtimeAppendTextParams
) -> ThreadRealtimeAppendTextResponse:
    raise _unsupported(host, params.thread_id)


@serves(THREAD_REALTIME_STOP)
def thread_realtime_stop(
    host: Host, _client: Connection, params: ThreadRealtimeStopParams
) -> ThreadRealtimeStopResponse:
    raise _unsupported(host, params.thread_id)


def _unsupported(host: Host, thread_id: str) -> RpcError:
    """Raises RpcError of its own for a thread that is not loaded."""
    host.threads.loaded(thread_id)
    return invalid(f"thread {thread_id} does not support realtime conversation")
