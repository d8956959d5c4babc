"""The words of the provider's realtime protocol, both ways; shapes as the reference uses them.

`v2` is the public API, `v1` an older one with a session type and names of its own (observed).
"""

import base64
import binascii
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

import msgspec
from msgspec import Struct

from protocol.errors import DECODE_ERRORS
from protocol.realtime import RealtimeOutputModality, RealtimeVoice, ThreadRealtimeAudioChunk
from protocol.settings import Realtime

Json = dict[str, Any]
Version = Literal["v1", "v2"]

RATE = 24_000  # samples a second
HANDOVER = "background_agent"
SILENCE = "remain_silent"
FINISHED = "Background agent finished. Use the preceding [BACKEND] messages as the result."
STEERED = "This was sent on to the background agent, which is at work already."
_TRANSCRIBER = "gpt-4o-mini-transcribe"
_ARGUMENTS = ("input_transcript", "input", "text", "prompt", "query")
_PCM: Json = {"type": "audio/pcm", "rate": RATE}


# ---- what is said to the provider


@cache
def default_prompt() -> str:
    return Path(__file__).with_name("prompt.md").read_text("utf-8").strip()


def update(
    settings: Realtime,
    instructions: str,
    modality: RealtimeOutputModality,
    voice: RealtimeVoice,
) -> Json:
    return {"type": "session.update", "session": session(settings, instructions, modality, voice)}


def session(
    settings: Realtime, instructions: str, modality: RealtimeOutputModality, voice: RealtimeVoice
) -> Json:
    transcription = {"model": _TRANSCRIBER}
    if settings.version == "v1":
        audio: Json = {"input": {"format": _PCM}, "output": {"voice": voice}}
        return {"type": "quicksilver", "instructions": instructions, "audio": audio}
    if settings.type == "transcription":
        heard = {"format": _PCM, "transcription": transcription}
        return {"type": "transcription", "audio": {"input": heard}}
    detection = {
        "type": "server_vad",
        "interrupt_response": True,
        "create_response": True,
        "silence_duration_ms": 500,
    }
    heard = {
        "format": _PCM,
        "noise_reduction": {"type": "near_field"},
        "transcription": transcription,
        "turn_detection": detection,
    }
    return {
        "type": "realtime",
        "instructions": instructions,
        "output_modalities": [modality],
        "audio": {"input": heard, "output": {"format": _PCM, "voice": voice}},
        "tools": _tools(),
        "tool_choice": "auto",
    }


def _tools() -> list[Json]:
    prompt = {"type": "string", "description": "What the user wants, in the user's words."}
    return [
        _tool(
            HANDOVER,
            "Hand what the user wants over to the background agent. Idle, it begins with it and "
            "reports when it is done; at work, it takes it as guidance.",
            {"type": "object", "properties": {"prompt": prompt}, "required": ["prompt"]},
        ),
        _tool(SILENCE, "Say nothing, when that is best.", {"type": "object", "properties": {}}),
    ]


def _tool(name: str, description: str, parameters: Json) -> Json:
    parameters = {**parameters, "additionalProperties": False}
    kind = {"type": "function", "name": name}
    return {**kind, "description": description, "parameters": parameters}


def audio(chunk: ThreadRealtimeAudioChunk) -> Json:
    return {"type": "input_audio_buffer.append", "audio": chunk.data}


def text(version: Version, words: str, label: str = "USER") -> Json:
    """`label` says from whom, where nobody hears it."""
    kind, words = ("text", words) if version == "v1" else ("input_text", f"[{label}] {words}")
    content = [{"type": kind, "text": words}]
    return _item({"type": "message", "role": "user", "content": content})


def result(version: Version, handoff: str, words: str) -> Json:
    """What has become of what was handed over."""
    if version == "v1":
        return {"type": "conversation.handoff.append", "handoff_id": handoff, "output_text": words}
    return _item({"type": "function_call_output", "call_id": handoff, "output": words})


def truncate(item_id: str, heard_ms: int) -> Json:
    """The user has interrupted: the model should know what of its words was heard."""
    place = {"item_id": item_id, "content_index": 0, "audio_end_ms": heard_ms}
    return {"type": "conversation.item.truncate", **place}


def _item(item: Json) -> Json:
    return {"type": "conversation.item.create", "item": item}


# ---- what the provider says


class Sound(Struct, frozen=True):
    chunk: ThreadRealtimeAudioChunk

    @property
    def milliseconds(self) -> int:
        try:
            size = len(base64.b64decode(self.chunk.data, validate=True))
        except binascii.Error:
            return 0
        return size * 1000 // (2 * max(self.chunk.num_channels, 1) * max(self.chunk.sample_rate, 1))


class Words(Struct, frozen=True):
    """Of `role`: some more of them, or all when they are `whole`."""

    role: Literal["user", "assistant"]
    text: str
    whole: bool


class Added(Struct, frozen=True):
    """Something for clients to see as it is."""

    item: Any


class Interrupted(Struct, frozen=True):
    """The user begins to speak."""

    item_id: str | None


class Handoff(Struct, frozen=True):
    id: str
    item_id: str
    text: str


class Silence(Struct, frozen=True):
    call_id: str


class Responding(Struct, frozen=True):
    """Whether a response is under way; `cancelled` is its id when it was cut short."""

    now: bool
    cancelled: str | None = None


class Failure(Struct, frozen=True):
    message: str
    code: str | None = None


Heard = Sound | Words | Added | Interrupted | Handoff | Silence | Responding | Failure


def heard(message: str | bytes) -> Heard | None:
    """None for what is of no interest, or cannot be understood."""
    try:
        said: Any = msgspec.json.decode(message)
    except DECODE_ERRORS:
        return None
    match said:
        case {
            "type": "response.output_audio.delta"
            | "response.audio.delta"
            | "conversation.output_audio.delta",
            "delta": str(data),
        }:
            return _sound(cast("Json", said), data)
        case {
            "type": "conversation.item.input_audio_transcription.delta"
            | "conversation.input_transcript.delta",
            "delta": str(words),
        }:
            return Words("user", words, whole=False)
        case {
            "type": "conversation.item.input_audio_transcription.completed",
            "transcript": str(words),
        }:
            return Words("user", words, whole=True)
        case {
            "type": "response.output_text.delta"
            | "response.output_audio_transcript.delta"
            | "conversation.output_transcript.delta",
            "delta": str(words),
        }:
            return Words("assistant", words, whole=False)
        case {"type": "response.output_text.done", "text": str(words)} | {
            "type": "response.output_audio_transcript.done",
            "transcript": str(words),
        }:
            return Words("assistant", words, whole=True)
        case {"type": str(kind)}:
            return _event(kind, cast("Json", said))
        case _:
            return None


def _event(kind: str, said: Json) -> Heard | None:
    match kind, said:
        case "input_audio_buffer.speech_started", _:
            return Interrupted(_str(said.get("item_id")))
        case "conversation.item.added", {"item": item}:
            return Added(item)
        case "conversation.item.done", {"item": {"type": "function_call"} as call}:
            return _called(call)
        case "conversation.handoff.requested", {"handoff_id": str(id), "item_id": str(item_id)}:
            return Handoff(id, item_id, _str(said.get("input_transcript")) or "")
        case "response.created", _:
            return Responding(now=True)
        case "response.done", _:
            return Responding(now=False)
        case "response.cancelled", {"response": {"id": str(id)}}:
            return Responding(now=False, cancelled=id)
        case "error", {"error": {"message": str(why)} as error}:
            return Failure(why, _str(error.get("code")))
        case "error", _:
            return Failure(str(said.get("message") or "the provider reports an error"))
        case _:
            return None


def _called(call: Json) -> Heard | None:
    id = _str(call.get("call_id")) or _str(call.get("id"))
    match call.get("name"):
        case "background_agent" if id:
            arguments = _str(call.get("arguments")) or ""
            return Handoff(id, _str(call.get("id")) or id, _wish(arguments))
        case "remain_silent" if id:
            return Silence(id)
        case _:
            return None


def _wish(arguments: str) -> str:
    """What is to be done; models do not always keep to the schema."""
    try:
        given: Any = msgspec.json.decode(arguments)
    except DECODE_ERRORS:
        return arguments
    if isinstance(given, dict):
        for name in _ARGUMENTS:
            if words := (_str(cast("Json", given).get(name)) or "").strip():
                return words
    return arguments


def _sound(said: Json, data: str) -> Sound:
    channels = _count(said.get("channels"), _count(said.get("num_channels"), 1))
    chunk = ThreadRealtimeAudioChunk(
        data=data,
        sample_rate=_count(said.get("sample_rate"), RATE),
        num_channels=channels,
        samples_per_channel=_count(said.get("samples_per_channel"), 0) or None,
        item_id=_str(said.get("item_id")),
    )
    return Sound(chunk)


def _str(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) and 0 < value < 1 << 16 else otherwise
