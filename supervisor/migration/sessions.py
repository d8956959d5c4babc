"""Sessions of Claude Code, as threads that can be read and gone on with."""

import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from msgspec import Raw
from msgspec import json as fast

from protocol.event import AgentSaid, TaskComplete, TaskStarted, UserSaid
from protocol.external import MigrationDetails, SessionMigration
from protocol.ids import new_id
from protocol.rollout import SESSIONS, Line, SessionMeta, encode, file_name, stamp, unix_ms
from supervisor.layers import Table
from supervisor.migration.place import Place, Unreadable, read_json, table, tables, write

LEDGER = "external_agent_session_imports.json"
DAYS, MOST = 30, 50  # the reference server's bounds
FILE_BYTES = 256 << 20
TITLE_CHARS, CALL_CHARS = 120, 2000
MARK = "<EXTERNAL SESSION IMPORTED>"


@dataclass
class Said:
    """What the user said, and what was answered; times in Unix ms."""

    asked: str
    at_ms: int
    answers: list[str] = field(default_factory=list[str])
    ended_ms: int = 0


@dataclass
class Session:
    path: Path
    digest: str
    cwd: str = ""
    title: str | None = None
    turns: list[Said] = field(default_factory=list[Said])


# ---- reading


def sessions(place: Place) -> list[Session]:
    """The newest ones that are not yet imported as they are now.  Raises Unreadable."""
    known = {one.get("contentSha256") for one in tables(_ledger(place).get("records"))}
    read = (_read(file) for file in _files(place.source / "projects"))
    found = [one for one in read if one is not None and one.digest not in known]
    return found[:MOST]


def _files(folder: Path) -> list[Path]:
    """The newest first."""
    since = time.time() - DAYS * 86_400
    found: list[tuple[float, Path]] = []
    for file in folder.glob("*/*.jsonl"):
        try:
            stat = file.stat()
        except OSError:
            continue
        if file.is_file() and stat.st_mtime >= since and stat.st_size <= FILE_BYTES:
            found.append((stat.st_mtime, file))
    return [file for _, file in sorted(found, reverse=True)]


def _read(path: Path) -> Session | None:
    """None for one that nothing was said in, or whose folder is gone."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    session = Session(path, hashlib.sha256(data).hexdigest())
    for line in data.splitlines():
        try:
            _take(session, table(json.loads(line)))
        except (ValueError, RecursionError):
            continue  # a torn line; the others are whole
    return session if session.turns and Path(session.cwd).is_dir() else None


def _take(session: Session, row: Table) -> None:
    if isinstance(cwd := row.get("cwd"), str) and not session.cwd:
        session.cwd = cwd
    if isinstance(title := row.get("customTitle") or row.get("aiTitle"), str):
        session.title = title
    if row.get("isSidechain") is True or row.get("isMeta") is True:
        return
    at_ms = unix_ms(str(row.get("timestamp"))) or 0
    text = "\n\n".join(_texts(table(row.get("message")).get("content")))
    match row.get("type"):
        case "user" if text:
            session.turns.append(Said(text, at_ms, ended_ms=at_ms))
        case "assistant" if text and session.turns:
            session.turns[-1].answers.append(text)
            session.turns[-1].ended_ms = at_ms
        case _:
            pass


def _texts(content: object) -> Iterator[str]:
    """What tools answered was for the model only."""
    if isinstance(content, str) and content.strip():
        yield content
    for part in tables(content):
        match part.get("type"), part.get("text"), part.get("name"):
            case "text", str(text), _ if text.strip():
                yield text
            case "tool_use", _, str(name):
                told = json.dumps(part.get("input"), ensure_ascii=False)[:CALL_CHARS]
                yield f"[external_agent_tool_call: {name}]\n{told}\n[/external_agent_tool_call]"
            case _:
                continue


def title(session: Session) -> str:
    return session.title or " ".join(session.turns[0].asked.split())[:TITLE_CHARS]


def sessions_details(place: Place) -> MigrationDetails | None:
    found = [SessionMigration(str(one.path), one.cwd, title(one)) for one in sessions(place)]
    return MigrationDetails(sessions=found) if found else None


# ---- writing


def import_sessions(
    place: Place, wanted: set[str] | None, version: str, provider: str
) -> Iterator[tuple[str, str]]:
    """Ids and names of the threads made; `wanted` are paths, None means all.

    Raises Unreadable, and OSError.
    """
    for session in sessions(place):
        if wanted is None or str(session.path) in wanted:
            id = _make(place.target, session, version, provider)
            _note(place, session, id)
            yield id, title(session)


def _make(home: Path, session: Session, version: str, provider: str) -> str:
    id, begun = new_id(), session.turns[0].at_ms or time.time_ns() // 1_000_000
    meta = SessionMeta(
        id=id,
        timestamp=stamp(begun),
        cwd=session.cwd,
        originator="atrio",
        cli_version=version,
        model_provider=provider,
    )
    lines = [_line(begun, "session_meta", meta), *_turns(session)]
    file = home / SESSIONS / file_name(id, begun)
    write(file, b"".join(lines).decode())
    file.chmod(0o600)
    ended = session.turns[-1].ended_ms / 1000
    if ended:
        os.utime(file, (ended, ended))
    return id


def _turns(session: Session) -> Iterator[bytes]:
    for said in session.turns:
        id, at, end = new_id(), said.at_ms, said.ended_ms
        answers = [*said.answers, *([MARK] if said is session.turns[-1] else [])]
        yield _line(at, "event_msg", TaskStarted(id, at // 1000))
        yield _line(at, "response_item", _message("user", "input_text", said.asked))
        yield _line(at, "event_msg", UserSaid(said.asked))
        for answer in answers:
            yield _line(end, "response_item", _message("assistant", "output_text", answer))
            yield _line(end, "event_msg", AgentSaid(answer))
        last = answers[-1] if answers else None
        yield _line(end, "event_msg", TaskComplete(id, last, end // 1000))


def _message(role: str, kind: str, text: str) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def _line(ms: int, type: str, payload: object) -> bytes:
    return encode(Line(stamp(ms), type, Raw(fast.encode(payload))))


# ---- what was imported, so that nothing is twice


def _ledger(place: Place) -> Table:
    try:
        return read_json(place.target / LEDGER)
    except Unreadable as error:
        raise Unreadable(f"{error}; move it away to import sessions anew") from None


def _note(place: Place, session: Session, id: str) -> None:
    records = cast("list[Any]", tables(_ledger(place).get("records")))
    records.append(
        {
            "sourcePath": str(session.path),
            "contentSha256": session.digest,
            "importedThreadId": id,
            "importedAt": int(time.time()),
        }
    )
    write(place.target / LEDGER, json.dumps({"records": records}, indent=2) + "\n")
