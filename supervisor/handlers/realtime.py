"""thread/realtime/listVoices; the rest of thread/realtime/* is the worker's."""

from protocol.methods import THREAD_REALTIME_LIST_VOICES
from protocol.realtime import (
    VOICES,
    ThreadRealtimeListVoicesParams,
    ThreadRealtimeListVoicesResponse,
)
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.host import Host


@serves(THREAD_REALTIME_LIST_VOICES)
def thread_realtime_list_voices(
    _host: Host, _client: Connection, _params: ThreadRealtimeListVoicesParams
) -> ThreadRealtimeListVoicesResponse:
    return ThreadRealtimeListVoicesResponse(VOICES)
