"""What clients ask of realtime sessions."""

import os
from typing import TYPE_CHECKING, cast

from msgspec import UNSET

from protocol.errors import RpcError, invalid
from protocol.methods import (
    THREAD_REALTIME_APPEND_AUDIO,
    THREAD_REALTIME_APPEND_TEXT,
    THREAD_REALTIME_START,
    THREAD_REALTIME_STOP,
)
from protocol.realtime import (
    VOICES,
    RealtimeVoice,
    ThreadRealtimeAppendAudioParams,
    ThreadRealtimeAppendAudioResponse,
    ThreadRealtimeAppendTextParams,
    ThreadRealtimeAppendTextResponse,
    ThreadRealtimeStartParams,
    ThreadRealtimeStartResponse,
    ThreadRealtimeStopParams,
    ThreadRealtimeStopResponse,
    WebrtcTransport,
)
from protocol.settings import Realtime, Settings
from workers.mailbox import serves
from workers.realtime.conversation import Opening
from workers.realtime.speech import default_prompt

if TYPE_CHECKING:
    from workers.thread import LoadedThread

FEATURE = "realtime_conversation"
LISTED = 60  # names of the project's folder


@serves(THREAD_REALTIME_START)
def thread_realtime_start(
    thread: "LoadedThread", params: ThreadRealtimeStartParams
) -> ThreadRealtimeStartResponse:
    """The session itself is told of by notifications."""
    _check(thread)
    if thread.settings.provider.wire_api != "responses":
        raise invalid(
            f"model provider `{thread.settings.provider.id}` has no realtime sessions; "
            "name one that has by experimental_realtime_ws_base_url"
        )
    how, transport = thread.settings.realtime, params.transport
    opening = Opening(
        id=params.realtime_session_id or thread.thread.id,
        modality=params.output_modality,
        voice=_voice(how, params.voice),
        instructions=_instructions(thread.settings, params),
        sdp=transport.sdp if isinstance(transport, WebrtcTransport) else None,
    )
    thread.realtime.start(opening)
    return ThreadRealtimeStartResponse()


@serves(THREAD_REALTIME_APPEND_TEXT)
def thread_realtime_append_text(
    thread: "LoadedThread", params: ThreadRealtimeAppendTextParams
) -> ThreadRealtimeAppendTextResponse:
    _check(thread)
    thread.realtime.say(params.text)
    return ThreadRealtimeAppendTextResponse()


@serves(THREAD_REALTIME_APPEND_AUDIO)
def thread_realtime_append_audio(
    thread: "LoadedThread", params: ThreadRealtimeAppendAudioParams
) -> ThreadRealtimeAppendAudioResponse:
    _check(thread)
    thread.realtime.play(params.audio)
    return ThreadRealtimeAppendAudioResponse()


@serves(THREAD_REALTIME_STOP)
def thread_realtime_stop(
    thread: "LoadedThread",
    params: ThreadRealtimeStopParams,  # noqa: ARG001
) -> ThreadRealtimeStopResponse:
    _check(thread)
    thread.realtime.stop()
    return ThreadRealtimeStopResponse()


def _check(thread: "LoadedThread") -> None:
    if not thread.settings.feature(FEATURE):
        raise _unsupported(thread.thread.id)


def _unsupported(thread_id: str) -> RpcError:
    return invalid(f"thread {thread_id} does not support realtime conversation")


def _voice(how: Realtime, wanted: RealtimeVoice | None) -> RealtimeVoice:
    version = how.version
    known = VOICES.v1 if version == "v1" else VOICES.v2
    default = VOICES.default_v1 if version == "v1" else VOICES.default_v2
    voice = wanted or cast("RealtimeVoice", how.voice) or default
    if voice not in known:
        raise invalid(
            f"realtime voice `{voice}` is not supported for {version}; "
            f"supported voices: {', '.join(known)}"
        )
    return voice


def _instructions(settings: Settings, params: ThreadRealtimeStartParams) -> str:
    how = settings.realtime
    wanted = how.prompt if how.prompt is not None else params.prompt
    prompt = default_prompt() if wanted is UNSET else wanted
    around = _surroundings(settings) if how.startup_context is None else how.startup_context
    return "\n\n".join(part for part in (prompt, around) if part)


def _surroundings(settings: Settings) -> str:
    """Where the background agent is at work; ours, and shorter than the reference's."""
    try:
        names = sorted(name for name in os.listdir(settings.cwd) if not name.startswith("."))  # noqa: PTH208
    except OSError:
        names = []
    more = "" if len(names) <= LISTED else f" and {len(names) - LISTED} more"
    listed = f"It holds: {', '.join(names[:LISTED])}{more}\n" if names else ""
    return (
        "<startup_context>\nThe background agent works in "
        f"{settings.cwd} on the user's machine.\n{listed}</startup_context>"
    )
