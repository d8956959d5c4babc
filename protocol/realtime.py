"""Talking with a model, by voice or in text that flows both ways."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from protocol.command import Unsigned
from protocol.wire import Wire

RealtimeConversationVersion = Literal["v1", "v2"]
RealtimeOutputModality = Literal["text", "audio"]
RealtimeVoice = Literal[
    "alloy",
    "arbor",
    "ash",
    "ballad",
    "breeze",
    "cedar",
    "coral",
    "cove",
    "echo",
    "ember",
    "juniper",
    "maple",
    "marin",
    "sage",
    "shimmer",
    "sol",
    "spruce",
    "vale",
    "verse",
]
Channels = Annotated[int, Meta(ge=0, le=65_535)]


class RealtimeVoicesList(Wire):
    v1: list[RealtimeVoice]
    v2: list[RealtimeVoice]
    default_v1: RealtimeVoice
    default_v2: RealtimeVoice


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


class ThreadRealtimeListVoicesParams(Wire):
    pass


class ThreadRealtimeListVoicesResponse(Wire):
    voices: RealtimeVoicesList


class WebsocketTransport(Wire, tag_field="type", tag="websocket"):
    pass


class WebrtcTransport(Wire, tag_field="type", tag="webrtc"):
    sdp: str


ThreadRealtimeStartTransport = WebsocketTransport | WebrtcTransport


class ThreadRealtimeAudioChunk(Wire):
    """`data` is base64 of 16 bit PCM."""

    data: str
    sample_rate: Unsigned
    num_channels: Channels
    samples_per_channel: Unsigned | None = None
    item_id: str | None = None


class ThreadRealtimeStartParams(Wire):
    thread_id: str
    output_modality: RealtimeOutputModality
    prompt: str | UnsetType | None = UNSET
    """The default when it is left out; null or empty for none."""
    realtime_session_id: str | None = None
    transport: ThreadRealtimeStartTransport | None = None
    voice: RealtimeVoice | None = None


class ThreadRealtimeStartResponse(Wire):
    pass


class ThreadRealtimeAppendAudioParams(Wire):
    thread_id: str
    audio: ThreadRealtimeAudioChunk


class ThreadRealtimeAppendAudioResponse(Wire):
    pass


class ThreadRealtimeAppendTextParams(Wire):
    thread_id: str
    text: str


class ThreadRealtimeAppendTextResponse(Wire):
    pass


class ThreadRealtimeStopParams(Wire):
    thread_id: str


class ThreadRealtimeStopResponse(Wire):
    pass


class ThreadRealtimeStartedNotification(Wire):
    thread_id: str
    version: RealtimeConversationVersion
    realtime_session_id: str | None = None


class ThreadRealtimeItemAddedNotification(Wire):
    """`item` is the provider's own."""

    thread_id: str
    item: Any


class ThreadRealtimeTranscriptDeltaNotification(Wire):
    thread_id: str
    role: str
    delta: str


class ThreadRealtimeTranscriptDoneNotification(Wire):
    thread_id: str
    role: str
    text: str


class ThreadRealtimeOutputAudioDeltaNotification(Wire):
    thread_id: str
    audio: ThreadRealtimeAudioChunk


class ThreadRealtimeSdpNotification(Wire):
    thread_id: str
    sdp: str


class ThreadRealtimeErrorNotification(Wire):
    thread_id: str
    message: str


class ThreadRealtimeClosedNotification(Wire):
    thread_id: str
    reason: str | None = None
