"""What the clients of a thread hear of its realtime session."""

from typing import TYPE_CHECKING, Any

from protocol.methods import (
    THREAD_REALTIME_CLOSED,
    THREAD_REALTIME_ERROR,
    THREAD_REALTIME_ITEM_ADDED,
    THREAD_REALTIME_OUTPUT_AUDIO_DELTA,
    THREAD_REALTIME_SDP,
    THREAD_REALTIME_STARTED,
    THREAD_REALTIME_TRANSCRIPT_DELTA,
    THREAD_REALTIME_TRANSCRIPT_DONE,
)
from protocol.realtime import (
    ThreadRealtimeAudioChunk,
    ThreadRealtimeClosedNotification,
    ThreadRealtimeErrorNotification,
    ThreadRealtimeItemAddedNotification,
    ThreadRealtimeOutputAudioDeltaNotification,
    ThreadRealtimeSdpNotification,
    ThreadRealtimeStartedNotification,
    ThreadRealtimeTranscriptDeltaNotification,
    ThreadRealtimeTranscriptDoneNotification,
)

if TYPE_CHECKING:
    from workers.thread import LoadedThread


class Clients:
    def __init__(self, thread: "LoadedThread") -> None:
        self._thread = thread

    @property
    def _id(self) -> str:
        return self._thread.thread.id

    def started(self, session_id: str) -> None:
        version = self._thread.settings.realtime.version
        told = ThreadRealtimeStartedNotification(self._id, version, session_id)
        self._thread.tell(THREAD_REALTIME_STARTED, told)

    def sdp(self, answer: str) -> None:
        self._thread.tell(THREAD_REALTIME_SDP, ThreadRealtimeSdpNotification(self._id, answer))

    def sound(self, chunk: ThreadRealtimeAudioChunk) -> None:
        told = ThreadRealtimeOutputAudioDeltaNotification(self._id, chunk)
        self._thread.tell(THREAD_REALTIME_OUTPUT_AUDIO_DELTA, told)

    def words(self, role: str, text: str, *, whole: bool) -> None:
        if whole:
            done = ThreadRealtimeTranscriptDoneNotification(self._id, role, text)
            self._thread.tell(THREAD_REALTIME_TRANSCRIPT_DONE, done)
        else:
            more = ThreadRealtimeTranscriptDeltaNotification(self._id, role, text)
            self._thread.tell(THREAD_REALTIME_TRANSCRIPT_DELTA, more)

    def added(self, item: Any) -> None:
        told = ThreadRealtimeItemAddedNotification(self._id, item)
        self._thread.tell(THREAD_REALTIME_ITEM_ADDED, told)

    def error(self, problem: str) -> None:
        told = ThreadRealtimeErrorNotification(self._id, problem)
        self._thread.tell(THREAD_REALTIME_ERROR, told)

    def closed(self, reason: str) -> None:
        told = ThreadRealtimeClosedNotification(self._id, reason)
        self._thread.tell(THREAD_REALTIME_CLOSED, told)
