"""The running commands of a thread; real processes."""

import trio

from workers.tools import sessions
from workers.tools.exec import EXEC_COMMAND


async def test_cleaning_kills_what_runs_and_clients_hear_of_it(turn):
    """Observed: thread/backgroundTerminals/clean; failed, -1, no output."""
    with trio.fail_after(5):
        await turn.call(EXEC_COMMAND, cmd="sleep 60", yield_time_ms=250)
        await turn.sessions.aclose()
    [completed] = turn.items("completed")
    assert (completed.status, completed.exit_code) == ("failed", -1)
    assert completed.aggregated_output is None


async def test_beyond_the_bound_the_session_least_used_has_to_go(turn, monkeypatch):
    """Ours: ended ones first, then the one longest unused."""
    monkeypatch.setattr(sessions, "LIMIT", 2)
    with trio.fail_after(5):
        for n in range(3):
            await turn.call(EXEC_COMMAND, cmd=f"sleep 6{n}", yield_time_ms=250)
        assert len(turn.sessions) == 2
        assert [item.command[-9:] for item in turn.items("completed")] == ["sleep 60'"]
        await turn.sessions.aclose()


async def test_a_session_that_has_ended_makes_room_first(turn, monkeypatch):
    """Ours: its output is lost to the model, the item has been told."""
    monkeypatch.setattr(sessions, "LIMIT", 2)
    with trio.fail_after(5):
        await turn.call(EXEC_COMMAND, cmd="sleep 60", yield_time_ms=250)
        await turn.call(EXEC_COMMAND, cmd="sleep 0.4", yield_time_ms=250)
        [_, short] = turn.sessions
        await short.ended.wait()
        await turn.call(EXEC_COMMAND, cmd="sleep 61", yield_time_ms=250)
        assert turn.sessions.find(short.id) is None
        assert len(turn.items("completed")) == 1
        await turn.sessions.aclose()


async def test_live_output_is_bounded_and_the_item_keeps_both_ends(turn):
    """Ours: a flood must not fill the outboxes of clients."""
    script = "head -c 3000000 /dev/zero | tr '\\0' x; echo end"
    with trio.fail_after(5):
        await turn.call(EXEC_COMMAND, cmd=script)
    [completed] = turn.items("completed")
    assert len(turn.output()) < (1 << 20) + (64 << 10)
    assert len(completed.aggregated_output) == 1 << 20
    assert completed.aggregated_output.endswith("xend\n")


async def test_letters_that_arrive_in_pieces_are_told_whole(turn):
    """Ours: the reference server tells half of them as replacement marks."""
    with trio.fail_after(5):
        await turn.call(EXEC_COMMAND, cmd="printf 'a\\342\\202'; sleep 0.1; printf '\\254b'")
    assert turn.output() == turn.items("completed")[0].aggregated_output == "a€b"
