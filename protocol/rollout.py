"""The line format of a thread on disk: one JSON object per line, `{timestamp, type, payload}`.

It is the reference server's format, so that either server can load what the other wrote: keys are
snake_case, enum values kebab-case.  Five types of lines matter: `session_meta` (who and where,
first of all), `turn_context` (the settings of a turn), `response_item` (what the model is told
again, the provider's own JSON), `event_msg` (what a client was shown) and `compacted`.  A line of
any other type is passed over, never dropped.

Most lines are not needed for most questions, and a line of tool output can be huge, so readers
ask `kind` first, which looks at the beginning of a line only.
"""

import errno
import os
import re
import stat
import time
from datetime import UTC, datetime
from typing import Any, BinaryIO

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

from protocol.errors import DECODE_ERRORS
from protocol.thread import DynamicToolSpec, NamedSource, SessionSource, SpawnedSource, ThreadSource

SESSIONS = "sessions"
ARCHIVED_SESSIONS = "archived_sessions"
SESSION_INDEX = "session_index.jsonl"
READ_BYTES = 1 << 20
FILE_NAME = re.compile(
    r"rollout-(\d{4})-(\d\d)-(\d\d)T\d\d-\d\d-\d\d-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.jsonl"
)
_HEAD = re.compile(
    rb'\{\s*"timestamp"\s*:\s*"[^"\\]*"\s*,\s*"type"\s*:\s*"(\w+)"\s*,\s*"payload"\s*:\s*'
    rb'\{\s*(?:"type"\s*:\s*"(\w+)")?'
)


class Line(Struct):
    """One line.  `timestamp` is ISO 8601 with milliseconds and Z; `payload` is JSON, unopened."""

    timestamp: str
    type: str
    payload: Raw


class Git(Struct, omit_defaults=True):
    commit_hash: str | None = None
    branch: str | None = None
    repository_url: str | None = None


class BaseInstructions(Struct):
    text: str


class SessionMeta(Struct):
    """`session_meta`: the thread as it was born.  `source` is in the stored spelling."""

    id: str
    forked_from_id: str | UnsetType | None = UNSET
    timestamp: str = ""
    cwd: str = ""
    originator: str = ""
    cli_version: str = ""
    source: Any = "vscode"
    thread_source: ThreadSource | UnsetType | None = UNSET
    agent_nickname: str | UnsetType | None = UNSET
    agent_role: str | UnsetType | None = UNSET
    model_provider: str | None = None
    base_instructions: BaseInstructions | None = None
    dynamic_tools: list[DynamicToolSpec] | UnsetType | None = UNSET
    memory_mode: str | UnsetType | None = UNSET
    git: Git | UnsetType | None = UNSET


class ModeSettings(Struct):
    model: str = ""
    reasoning_effort: str | None = None
    developer_instructions: str | None = None


class Mode(Struct):
    mode: str = "default"
    settings: ModeSettings = field(default_factory=ModeSettings)


class TurnContext(Struct):
    """`turn_context`: what a turn ran with.  Policies keep their stored spelling."""

    turn_id: str | None = None
    cwd: str = ""
    current_date: str | None = None
    timezone: str | None = None
    approval_policy: Any = "on-request"
    sandbox_policy: Any = None
    permission_profile: Any = None
    model: str = ""
    personality: str | UnsetType | None = UNSET
    collaboration_mode: Mode | None = None
    realtime_active: bool = False
    effort: str | UnsetType | None = UNSET
    summary: str = "auto"
    final_output_json_schema: Any = UNSET
    truncation_policy: Any = None


class Compacted(Struct):
    """`compacted`: the model's history begins anew, with `replacement_history` if there is one."""

    message: str = ""
    replacement_history: list[dict[str, Any]] | None = None


class IndexedName(Struct):
    """A line of `session_index.jsonl`; the last one of a thread counts."""

    id: str
    thread_name: str
    updated_at: str


_encode = msgspec.json.Encoder().encode
_line = msgspec.json.Decoder(Line).decode


class _Typed(Struct):
    type: str = ""


_typed = msgspec.json.Decoder(_Typed).decode


def now() -> str:
    """The present as a line's timestamp."""
    return stamp(time.time_ns() // 1_000_000)


def stamp(ms: int) -> str:
    """Unix milliseconds as a line's timestamp."""
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03}Z"


def unix_ms(timestamp: str) -> int | None:
    """The other way round; None when it is no ISO timestamp."""
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def line(type: str, payload: Any) -> Line:
    """A new line, stamped with the present."""
    return Line(now(), type, Raw(_encode(payload)))


def encode(what: Line | IndexedName) -> bytes:
    """The line as it stands in the file, its newline included."""
    return _encode(what) + b"\n"


def decode(data: bytes) -> Line | None:
    """The line; None when it cannot be read."""
    try:
        return _line(data)
    except DECODE_ERRORS:
        return None


def kind(data: bytes) -> tuple[bytes, bytes] | None:
    """The line's type and its payload's `type` ("" for none); None when it cannot be read.

    Whatever wrote the line in the usual order is served without reading on; a line may therefore
    have a good head and still be torn.
    """
    head = _HEAD.match(data)
    if head is not None and (head[2] or head[1] not in (b"event_msg", b"response_item")):
        return head[1], head[2] or b""
    read = decode(data)
    if read is None:
        return None
    try:
        return read.type.encode(), _typed(read.payload).type.encode()
    except DECODE_ERRORS:
        return read.type.encode(), b""


def file_name(thread_id: str, ms: int) -> str:
    """`YYYY/MM/DD/rollout-…-<id>.jsonl` below `sessions/`, in local time as the reference's."""
    begun = time.localtime(ms // 1000)
    return time.strftime("%Y/%m/%d/rollout-%Y-%m-%dT%H-%M-%S-", begun) + thread_id + ".jsonl"


def dated_path(name: str) -> str | None:
    """The place of the rollout `name` below `sessions/`; None when it is no rollout's name."""
    match = FILE_NAME.fullmatch(name)
    return f"{match[1]}/{match[2]}/{match[3]}/{name}" if match else None


def is_archived(path: str) -> bool:
    return f"/{ARCHIVED_SESSIONS}/" in path


def opened(path: str) -> BinaryIO:
    """The file to read, also when it was archived or brought back since `path` was told.

    Raises OSError.
    """
    try:
        return reading(path)
    except FileNotFoundError:
        return reading(elsewhere(path))


def reading(path: str, buffer: int = READ_BYTES) -> BinaryIO:
    """The file to read.  Raises OSError; also for a pipe, where one would wait for ever."""
    return open(path, "rb", buffer, opener=_regular)


def _regular(path: str, flags: int) -> int:
    file = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "it is no regular file", path)
    return file


def elsewhere(path: str) -> str:
    """Where the file is if it was archived, or brought back, since `path` was told."""
    folder, _, name = path.rpartition("/")
    home, archived, _ = path.rpartition(f"/{ARCHIVED_SESSIONS}/")
    if archived:
        return f"{home}/{SESSIONS}/{dated_path(name)}"
    return f"{folder.rpartition(f'/{SESSIONS}/')[0]}/{ARCHIVED_SESSIONS}/{name}"


# ---- sources: `{"subAgent": …}` on the wire, `{"subagent": …}` in the file


def stored_source(source: SessionSource) -> Any:
    if isinstance(source, str):
        return {"appServer": "mcp"}.get(source, source)
    plain: dict[str, Any] = msgspec.to_builtins(source)
    return {"subagent" if key == "subAgent" else key: value for key, value in plain.items()}


def wire_source(source: Any) -> SessionSource:
    """`unknown` for whatever a newer or a foreign program wrote."""
    if isinstance(source, str):
        named = {"mcp": "appServer"}.get(source, source)
        return _convert_source(named)
    if isinstance(source, dict) and "subagent" in source:
        return _convert_source({"subAgent": source["subagent"]})
    return _convert_source(source)


def _convert_source(source: Any) -> SessionSource:
    try:
        converted: SessionSource = msgspec.convert(source, SessionSource)
    except DECODE_ERRORS:
        return "unknown"
    return converted


def source_kind(source: SessionSource) -> str:
    """The `ThreadSourceKind` that a client filters by; `subAgent` stands for all its kinds."""
    match source:
        case NamedSource(sub_agent=SpawnedSource(thread_spawn=spawn)):
            return "subAgentOther" if spawn is UNSET else "subAgentThreadSpawn"
        case NamedSource(sub_agent="review"):
            return "subAgentReview"
        case NamedSource(sub_agent="compact"):
            return "subAgentCompact"
        case NamedSource(sub_agent=agent):
            return "unknown" if agent is UNSET else "subAgentOther"
        case _:
            return source
