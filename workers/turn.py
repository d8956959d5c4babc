"""What clients do to a turn: begin it, give it more to read, interrupt it."""

from typing import TYPE_CHECKING

import msgspec

from protocol.errors import check_input_size, invalid
from protocol.ids import new_id
from protocol.item import TextInput, UserInput
from protocol.methods import TURN_INTERRUPT, TURN_START, TURN_STEER
from protocol.overrides import check_environments, turn_overrides
from protocol.turn import (
    ActiveTurnNotSteerable,
    DetailedErrorInfo,
    Turn,
    TurnError,
    TurnInterruptParams,
    TurnInterruptResponse,
    TurnStartParams,
    TurnStartResponse,
    TurnSteerParams,
    TurnSteerResponse,
)
from workers.mailbox import serves
from workers.running import RunningTurn

if TYPE_CHECKING:
    from workers.thread import LoadedThread


def _check_size(inputs: list[UserInput]) -> None:
    check_input_size(sum(len(part.text) for part in inputs if isinstance(part, TextInput)))


def _check_steerable(turn: RunningTurn) -> None:
    if turn.kind is not None:
        info = DetailedErrorInfo(active_turn_not_steerable=ActiveTurnNotSteerable(turn.kind))
        refusal = TurnError(f"cannot steer a {turn.kind} turn", codex_error_info=info)
        raise invalid(refusal.message, msgspec.to_builtins(refusal))


@serves(TURN_START)
def turn_start(thread: "LoadedThread", params: TurnStartParams) -> TurnStartResponse:
    """While a turn runs this steers it, and answers with an id that never starts (observed).

    Ours: what cannot be steered refuses it; the reference server accepts and forgets the input.
    """
    _check_size(params.input)
    if thread.turn is not None:
        _check_steerable(thread.turn)
        if params.input:
            thread.turn.steer(params.input)
        return TurnStartResponse(
            turn=Turn(id=new_id(), items=[], status="inProgress", items_view="notLoaded")
        )
    check_environments(params.environments)
    thread.settings = turn_overrides(thread.settings, params)
    thread.turn = RunningTurn(thread, params)
    thread.show()  # ahead of the answer: whatever happens to this worker, the turn will be ended
    thread.nursery.start_soon(thread.turn.run)
    return TurnStartResponse(turn=thread.turn.snapshot())


@serves(TURN_STEER)
def turn_steer(thread: "LoadedThread", params: TurnSteerParams) -> TurnSteerResponse:
    if not params.expected_turn_id:
        raise invalid("expectedTurnId must not be empty")
    _check_size(params.input)
    if thread.turn is None:
        raise invalid("no active turn to steer")
    if thread.turn.id != params.expected_turn_id:
        raise invalid(
            f"expected active turn id `{params.expected_turn_id}` but found `{thread.turn.id}`"
        )
    if not params.input:
        raise invalid("input must not be empty")
    _check_steerable(thread.turn)
    thread.turn.steer(params.input)
    return TurnSteerResponse(turn_id=thread.turn.id)


@serves(TURN_INTERRUPT)
def turn_interrupt(thread: "LoadedThread", params: TurnInterruptParams) -> TurnInterruptResponse:
    """Without an id it is for a thread that may still be starting, and has nothing to end here.

    The terminal UI sends that when it leaves a side conversation; it takes an error for a failure.
    """
    if thread.turn is None:
        if not params.turn_id:
            return TurnInterruptResponse()
        raise invalid("no active turn to interrupt")
    if thread.turn.id != params.turn_id:
        raise invalid(f"expected active turn id {params.turn_id} but found {thread.turn.id}")
    thread.turn.scope.cancel()
    return TurnInterruptResponse()
