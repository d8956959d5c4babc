"""What `thread/list` says of a thread, from the beginning of its file.

Reading ends at the first message of the user, which is a thread's preview, so a summary costs the
same for a file of any size.
"""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from protocol.agent import spawn_of
from protocol.errors import DECODE_ERRORS
from protocol.event import UserSaid
from protocol.meta import amend, git_info
from protocol.rollout import SessionMeta, kind, unix_ms, wire_source
from protocol.thread import NotLoadedStatus, Thread

FORMER_PROVIDER = "openai"  # of files from before the provider was written down


class _MetaLine(Struct):
    timestamp: str
    payload: SessionMeta


class _SaidLine(Struct):
    payload: UserSaid


class _Part(Struct):
    text: str = ""


class _Item(Struct):
    role: str = ""
    content: list[_Part] = []


class _ItemLine(Struct):
    payload: _Item


_meta = msgspec.json.Decoder(_MetaLine).decode
_said = msgspec.json.Decoder(_SaidLine).decode
_item = msgspec.json.Decoder(_ItemLine).decode


class Summary(Struct):
    """`created_at` is in Unix seconds, None when the file does not say."""

    meta: SessionMeta
    preview: str
    created_at: int | None


def summary(lines: Iterable[bytes]) -> Summary | None:
    """The summary of a rollout; None when no line says whose it is.

    Without a message of the user, the first user item that is not wrapped in a tag is the preview:
    that is what a thread has that was begun with a history.
    """
    meta: _MetaLine | None = None
    former = ""
    for line in lines:
        try:
            match kind(line):
                case (b"session_meta", _) if meta is None:
                    meta = _meta(line)
                case (b"session_meta", _) if meta is not None:
                    amend(meta.payload, _meta(line).payload)
                case (b"event_msg", b"user_message"):
                    said = _said(line).payload.message
                    return _summary(meta, said or former) if meta else None
                case (b"response_item", b"message") if not former:
                    former = _own_words(_item(line).payload)
                case _:
                    pass
        except DECODE_ERRORS:
            continue
    return _summary(meta, former) if meta else None


def _own_words(item: _Item) -> str:
    text = "".join(part.text for part in item.content)
    wrapped = text.startswith(("<", "# AGENTS.md"))
    return "" if item.role != "user" or wrapped else text


def _summary(line: _MetaLine, preview: str) -> Summary:
    ms = unix_ms(line.payload.timestamp) or unix_ms(line.timestamp)
    return Summary(line.payload, preview, None if ms is None else ms // 1000)


def thread(found: Summary, path: str, updated_at: int, name: str | None = None) -> Thread:
    """The thread as `thread/list` and `thread/read` show it while it is not loaded."""
    meta, source = found.meta, wire_source(found.meta.source)
    nickname, role = meta.agent_nickname or None, meta.agent_role or None
    if (spawn := spawn_of(source)) is not None:
        nickname, role = nickname or spawn.agent_nickname, role or spawn.agent_role
    return Thread(
        cli_version=meta.cli_version,
        created_at=updated_at if found.created_at is None else found.created_at,
        cwd=meta.cwd,
        ephemeral=False,
        id=meta.id,
        model_provider=meta.model_provider or FORMER_PROVIDER,
        preview=found.preview,
        session_id=meta.id,
        source=source,
        status=NotLoadedStatus(),
        turns=[],
        updated_at=updated_at,
        agent_nickname=nickname,
        agent_role=role,
        forked_from_id=meta.forked_from_id or None,
        git_info=git_info(meta),
        name=name,
        path=path,
        thread_source=None if spawn else meta.thread_source or None,  # observed
    )
