"""The threads on disk are listed, found, named and put away, whoever wrote them."""

import json
import os
from pathlib import Path

import pytest
import trio

from protocol import meta
from protocol.errors import RpcError
from protocol.maintenance import ThreadMetadataGitInfoUpdateParams
from protocol.rollout import dated_path
from protocol.thread import GitInfo, IdleStatus, NotLoadedStatus, Thread, ThreadListParams
from supervisor.store import SETTLE_SECONDS, Store

BIRTH = 1_767_323_045  # 2026-01-02T03:04:05Z
STAMP = "2026-01-02T03:04:05.000Z"


def id_of(number: int) -> str:
    return f"0199a213-81c0-7800-8aa1-{number:012x}"


def rollout(home: Path, number: int, preview: str = "hello", **meta) -> Path:
    """A stored thread that was last changed `number` seconds after its birth."""
    name = f"rollout-2026-01-02T03-04-05-{id_of(number)}.jsonl"
    path = home / "sessions" / dated_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    payload = {
        "id": id_of(number),
        "timestamp": STAMP,
        "cwd": "/work",
        "originator": "test",
        "cli_version": "0.130.0",
        "source": "vscode",
        "model_provider": "mock",
        **meta,
    }
    lines = [
        {"timestamp": STAMP, "type": "session_meta", "payload": payload},
        {
            "timestamp": STAMP,
            "type": "event_msg",
            "payload": {"type": "user_message", "message": preview},
        },
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    changed(path, number)
    return path


def changed(path: Path, seconds: int) -> None:
    os.utime(path, (BIRTH + seconds, BIRTH + seconds))


@pytest.fixture
async def store(tmp_path, nursery):
    store = Store(tmp_path)
    await store.open(nursery)
    yield store
    await store.close()


async def listed(store: Store, **params) -> list[str]:
    with trio.fail_after(5):
        return [t.id for t in (await store.list(ThreadListParams(**params), "mock")).data]


# ---- lists


async def test_an_empty_home_has_an_empty_list(store):
    """Observed: both cursors are null."""
    page = await store.list(ThreadListParams(), "mock")
    assert (page.data, page.next_cursor, page.backwards_cursor) == ([], None, None)


async def test_a_listed_thread_is_what_its_file_says(store, tmp_path):
    """Observed."""
    path = rollout(tmp_path, 7, "first question", git={"commit_hash": "abc", "branch": "main"})
    [thread] = (await store.list(ThreadListParams(), "mock")).data
    assert thread == Thread(
        cli_version="0.130.0",
        created_at=BIRTH,
        cwd="/work",
        ephemeral=False,
        id=id_of(7),
        model_provider="mock",
        preview="first question",
        session_id=id_of(7),
        source="vscode",
        status=NotLoadedStatus(),
        turns=[],
        updated_at=BIRTH + 7,
        git_info=GitInfo(branch="main", sha="abc"),
        path=str(path),
    )


@pytest.mark.parametrize("key", ["created_at", "updated_at"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
async def test_pages_show_every_thread_once(store, tmp_path, key, direction):
    """Ours: the reference loses threads of equal times between its pages."""
    for number in range(23):
        changed(rollout(tmp_path, number), number // 10)
    seen, cursor = [], None
    for _ in range(5):
        params = ThreadListParams(limit=5, cursor=cursor, sort_key=key, sort_direction=direction)
        page = await store.list(params, "mock")
        seen += [thread.id for thread in page.data]
        cursor = page.next_cursor
    assert cursor is None
    expected = [id_of(number) for number in range(23)]
    assert seen == (expected if direction == "asc" else expected[::-1])


async def test_a_backwards_cursor_begins_with_the_same_thread(store, tmp_path):
    """Ours: for a client that turns round, nothing is left out."""
    for number in range(4):
        rollout(tmp_path, number)
    page = await store.list(ThreadListParams(limit=2), "mock")
    assert [t.id for t in page.data] == [id_of(3), id_of(2)]
    cursor = (await store.list(ThreadListParams(cursor=page.next_cursor), "mock")).backwards_cursor
    assert await listed(store, cursor=cursor, sort_direction="asc") == [
        id_of(1),
        id_of(2),
        id_of(3),
    ]


async def test_a_plain_timestamp_is_a_cursor_too(store, tmp_path):
    """Observed: the reference's cursors."""
    rollout(tmp_path, 1)
    assert await listed(store, cursor=STAMP) == []
    assert await listed(store, cursor="2026-01-02T03:04:05.001Z") == [id_of(1)]


@pytest.mark.parametrize("cursor", ["nonsense", "", "2026-99-99T00:00:00Z", f"{STAMP}x"])
async def test_a_cursor_that_is_none_is_refused(store, cursor):
    """Observed."""
    with pytest.raises(RpcError, match="invalid cursor"):
        await listed(store, cursor=cursor)


async def test_a_limit_of_none_at_all_is_one(store, tmp_path):
    """Observed."""
    rollout(tmp_path, 1)
    rollout(tmp_path, 2)
    assert await listed(store, limit=0) == [id_of(2)]


async def test_lists_are_filtered(store, tmp_path):
    """Observed: by default the configured provider and the interactive sources."""
    rollout(tmp_path, 1, "fix the parser")
    rollout(tmp_path, 2, "write the manual", cwd="/work/sub")
    rollout(tmp_path, 3, model_provider="other")
    rollout(tmp_path, 4, source="exec")
    rollout(tmp_path, 5, source={"subagent": "review"})
    everything = [id_of(n) for n in (5, 4, 3, 2, 1)]
    assert await listed(store) == [id_of(2), id_of(1)]
    assert await listed(store, source_kinds=[]) == [id_of(2), id_of(1)]
    assert await listed(store, source_kinds=["exec"]) == [id_of(4)]
    assert await listed(store, source_kinds=["subAgent"]) == [id_of(5)]
    assert await listed(store, source_kinds=["subAgentReview"]) == [id_of(5)]
    assert await listed(store, model_providers=["other"]) == [id_of(3)]
    assert await listed(store, model_providers=[]) == [id_of(3), id_of(2), id_of(1)]
    kinds = ["vscode", "exec", "subAgent"]
    assert await listed(store, model_providers=[], source_kinds=kinds) == everything
    assert await listed(store, cwd="/work") == [id_of(1)]
    assert await listed(store, cwd=["/work/sub", "/tmp"]) == [id_of(2)]
    assert await listed(store, search_term="parser") == [id_of(1)]
    assert await listed(store, search_term="PARSER") == []


# ---- what changes


async def test_a_file_of_another_server_appears_and_goes(store, tmp_path):
    """Ours: the folder is looked at with each list."""
    rollout(tmp_path, 1)
    assert await listed(store) == [id_of(1)]
    path = rollout(tmp_path, 2)
    store._due = store._cost = 0.0  # a loaded machine makes the first look a dear one
    assert await listed(store) == [id_of(2), id_of(1)]
    path.unlink()
    assert await listed(store) == [id_of(1)]
    assert await store.read(id_of(2)) is None


async def test_a_thread_that_grew_elsewhere_moves_up(store, tmp_path):
    """Ours: the reference server may go on with a thread of ours."""
    old = rollout(tmp_path, 1)
    rollout(tmp_path, 2)
    assert await listed(store, sort_key="updated_at") == [id_of(2), id_of(1)]
    changed(old, 9)
    assert await listed(store, sort_key="updated_at") == [id_of(1), id_of(2)]
    thread = await store.read(id_of(1))
    assert thread is not None
    assert thread.updated_at == BIRTH + 9


async def test_what_a_worker_reports_is_listed_at_once(store, tmp_path):
    """Ours: before the folders are looked at again; the status is not stored."""
    rollout(tmp_path, 1)
    await listed(store)
    path = rollout(tmp_path, 2)
    [known] = (await store.list(ThreadListParams(), "mock")).data
    fields = {f: getattr(known, f) for f in known.__struct_fields__}
    reported = {"id": id_of(2), "path": str(path), "preview": "new", "status": IdleStatus()}
    store.upsert(Thread(**{**fields, **reported}))
    newest = (await store.list(ThreadListParams(limit=1), "mock")).data[0]
    assert (newest.id, newest.preview, newest.status) == (id_of(2), "new", NotLoadedStatus())


async def test_names_are_kept_for_both_servers(store, tmp_path):
    """Observed: `session_index.jsonl`, the last line counts; a name can come before the file."""
    await store.set_name(id_of(1), "Early")
    rollout(tmp_path, 1)
    [thread] = (await store.list(ThreadListParams(search_term="Early"), "mock")).data
    assert thread.name == "Early"
    index = tmp_path / "session_index.jsonl"
    assert sorted(json.loads(index.read_text())) == ["id", "thread_name", "updated_at"]
    with index.open("a") as file:
        line = {"id": id_of(1), "thread_name": "Theirs", "updated_at": STAMP}
        file.write(f"broken\n{json.dumps(line)}\n")
    store._due = store._cost = 0.0  # as above
    [thread] = (await store.list(ThreadListParams(), "mock")).data
    assert thread.name == "Theirs"


def branch(name: str | None):
    change = ThreadMetadataGitInfoUpdateParams(branch=name)
    return lambda found: meta.set_git(found, change)


async def test_git_info_can_be_set(store, tmp_path):
    """Observed: `thread/metadata/update`; it stays when the thread goes on."""
    path = rollout(tmp_path, 1)
    assert await store.read(id_of(1)) is not None
    await store.amend(id_of(1), branch("other"))
    changed(path, 9)
    thread = await store.read(id_of(1))
    assert thread is not None
    assert thread.git_info == GitInfo(branch="other")


async def test_git_info_outlives_the_table(nursery, store, tmp_path):
    """Observed: what was set is found again in the thread's file; what was cleared is not."""
    paths = [rollout(tmp_path, n, git={"branch": "main"}) for n in (1, 2)]
    with paths[0].open("a") as file:
        file.write('{"torn')
    assert await store.amend(id_of(1), branch("other"))
    assert await store.amend(id_of(2), branch(None))
    assert not await store.amend(id_of(3), branch("other"))
    await store.close()
    (tmp_path / "atrio.sqlite").unlink()
    again = Store(tmp_path)
    await again.open(nursery)
    found = await again.list(ThreadListParams(), "mock")
    assert {t.id: t.git_info for t in found.data} == {
        id_of(1): GitInfo(branch="other"),
        id_of(2): None,
    }
    await again.close()


async def test_archiving_moves_the_file_there_and_back(store, tmp_path):
    """Observed: no second time in either direction; reading finds it anywhere."""
    path = rollout(tmp_path, 1)
    assert await store.archive(id_of(1))
    assert not await store.archive(id_of(1))
    assert not path.exists()
    assert await listed(store) == []
    assert await listed(store, archived=True) == [id_of(1)]
    away = await store.read(id_of(1))
    assert away is not None
    assert away.path == str(tmp_path / "archived_sessions" / path.name)
    back = await store.unarchive(id_of(1))
    assert back is not None
    assert back.path == str(path)
    assert await store.unarchive(id_of(1)) is None
    assert await listed(store) == [id_of(1)]
    assert await store.unarchive(id_of(2)) is None
    assert not await store.archive(id_of(2))


# ---- finding


async def test_a_thread_is_found_before_any_list(store, tmp_path):
    """Ours: by its file's name, so that nothing waits for the table."""
    path = rollout(tmp_path, 1)
    assert await store.path(id_of(1)) == str(path)
    assert await store.path(id_of(2)) is None
    assert await store.read(id_of(2)) is None


async def test_a_thread_can_be_read_from_any_path(store, tmp_path):
    """Observed: `thread/resume` by path."""
    path = rollout(tmp_path, 1).rename(tmp_path / "elsewhere.jsonl")
    await store.set_name(id_of(1), "Named")
    found = await store.by_path(str(path))
    assert found is not None
    assert (found.id, found.name, found.path) == (id_of(1), "Named", str(path))
    assert await store.by_path(str(tmp_path / "none.jsonl")) is None


async def test_a_file_that_is_no_rollout_is_not_listed_and_says_why(store, tmp_path):
    """Observed: an internal error, not an unknown thread."""
    path = rollout(tmp_path, 1)
    path.write_text("")
    assert await listed(store) == []
    with pytest.raises(RpcError, match="failed to read thread"):
        await store.read(id_of(1))
    rollout(tmp_path, 1)
    assert await store.read(id_of(1)) is not None


async def test_a_copied_file_is_a_thread_of_its_own(store, tmp_path):
    """Ours: its name says which."""
    path = rollout(tmp_path, 1)
    copy = path.with_name(path.name.replace(id_of(1), id_of(2)))
    copy.write_bytes(path.read_bytes())
    assert await listed(store) == [id_of(2), id_of(1)]


# ---- the table


@pytest.mark.parametrize("damage", [None, b"", b"not a database", b"SQLite format 3\0junk"])
async def test_the_table_is_made_anew_when_it_is_lost_or_broken(tmp_path, nursery, damage):
    """Observed: threads, names and all; ours: whatever became of the file."""
    rollout(tmp_path, 1)
    first = Store(tmp_path)
    assert await listed(first) == [id_of(1)]
    await first.set_name(id_of(1), "Named")
    await first.close()
    table = tmp_path / "atrio.sqlite"
    table.unlink()
    if damage is not None:
        table.write_bytes(damage)
    second = Store(tmp_path)
    [thread] = (await second.list(ThreadListParams(), "mock")).data
    assert (thread.id, thread.name) == (id_of(1), "Named")
    await second.close()


async def test_a_table_that_breaks_in_use_is_made_anew(store, tmp_path):
    """Ours: a cache must not take the server down."""
    rollout(tmp_path, 1)
    assert await listed(store) == [id_of(1)]
    await store._ask(lambda shelf: shelf._index._db.execute("DROP TABLE threads"))
    assert await listed(store) == [id_of(1)]


async def test_a_home_that_cannot_be_written_is_listed_all_the_same(tmp_path):
    """Ours: the table is then kept in memory."""
    rollout(tmp_path, 1)
    (tmp_path / "atrio.sqlite").mkdir()
    store = Store(tmp_path)
    assert await listed(store) == [id_of(1)]
    await store.close()


async def test_the_next_server_opens_no_known_file(tmp_path, monkeypatch):
    """Ours: `thread/list` costs the same with many stored threads as with few."""
    from supervisor import scan

    for number in range(3):
        path = rollout(tmp_path, number)
    os.utime(path.parent, (BIRTH, BIRTH))
    first = Store(tmp_path)
    assert len(await listed(first)) == 3
    await first.close()
    monkeypatch.setattr(scan, "examine", None)
    monkeypatch.setattr(scan, "compare", None)
    second = Store(tmp_path)
    assert len(await listed(second)) == 3
    await second.close()


async def test_reports_are_written_without_a_question(tmp_path, nursery, autojump_clock):
    """Ours: a moment later, so that a burst of them is one write."""
    rollout(tmp_path, 1)
    store = Store(tmp_path)
    await store.open(nursery)
    thread = await store.read(id_of(1))
    assert thread is not None
    thread.preview = "reported"
    store.upsert(thread)
    await trio.sleep(2 * SETTLE_SECONDS)
    assert store._reported == {}
    again = await store.read(id_of(1))
    assert again is not None
    assert again.preview == "reported"
    await store.close()
