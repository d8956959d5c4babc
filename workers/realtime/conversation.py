"""The realtime session of one thread, from its start to its end.

What the user says there comes to the thread only when the realtime model hands it over: it begins a
turn, or steers the one that runs.  What the agent says in that turn goes back.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

import trio

from protocol.errors import invalid, overloaded
from protocol.item import TextInput
from protocol.realtime import RealtimeOutputModality, RealtimeVoice, ThreadRealtimeAudioChunk
from protocol.turn import TurnStartParams
from workers.history import message
from workers.provider import ProviderError
from workers.realtime import speech
from workers.realtime.clients import Clients
from workers.realtime.speech import (
    Added,
    Failure,
    Handoff,
    Heard,
    Interrupted,
    Json,
    Responding,
    Silence,
    Sound,
    Words,
)
from workers.running import RunningTurn
from workers.signing import signed

if TYPE_CHECKING:
    from workers.realtime.wire import Wire
    from workers.thread import LoadedThread

WAITING = 256  # messages that may wait for the provider to take them
DELEGATION = "<realtime_delegation>"
BUSY = "The background agent cannot be given anything just now. Tell the user to try again."
_TALKING = (
    "The user talks with you through a voice model, which hands wishes over to you as it has heard "
    "them: words may be wrong or missing. It reads your answers aloud, so keep them short and "
    "plain, and say first what came of it."
)


@dataclass
class Opening:
    """What a session begins with.  `sdp` is a WebRTC client's offer."""

    id: str
    modality: RealtimeOutputModality
    voice: RealtimeVoice
    instructions: str
    sdp: str | None = None


@dataclass
class Session:
    opening: Opening
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    handoff: str | None = None  # what the thread is at work on, for the realtime model
    spoken: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])  # since the last
    responding: bool = False
    owes: bool = False  # a response, once the one under way is over
    playing: tuple[str, int] | None = None  # the item that is heard, and how many ms of it
    started: bool = False
    replaced: bool = False

    def __post_init__(self) -> None:
        self.out, self.waiting = trio.open_memory_channel[Json](WAITING)


class Conversation:
    """What a thread has of realtime: at most one session."""

    def __init__(self, thread: "LoadedThread") -> None:
        self._thread = thread
        self._clients = Clients(thread)
        self._session: Session | None = None
        self._told = False  # the thread's model knows by whom it is heard

    # ---- what clients do

    def start(self, opening: Opening) -> None:
        """In the background; a session that runs gives way (observed)."""
        if self._session is not None:
            self._session.replaced = True
            self._session.scope.cancel()
        self._session = Session(opening)
        self._thread.nursery.start_soon(self._run, self._session)

    def say(self, words: str) -> None:
        self._put(self._running, speech.text(self._version, words))

    def play(self, chunk: ThreadRealtimeAudioChunk) -> None:
        self._put(self._running, speech.audio(chunk))

    def stop(self) -> None:
        """Clients are told in any case (observed)."""
        if self._session is not None:
            self._session.scope.cancel()
        else:
            self._clients.closed("requested")

    def close(self) -> None:
        """Without a word: the thread ends."""
        if self._session is not None:
            self._session.replaced = True
            self._session.scope.cancel()

    @property
    def _running(self) -> Session:
        if self._session is None:
            raise invalid("conversation is not running")
        return self._session

    @property
    def _version(self) -> Literal["v1", "v2"]:
        return self._thread.settings.realtime.version

    def _put(self, session: Session, *said: Json) -> None:
        """Raises RpcError when the provider does not keep up."""
        for one in said:
            try:
                session.out.send_nowait(one)
            except trio.WouldBlock:
                raise overloaded() from None
            except trio.BrokenResourceError:
                return  # it is about to end

    # ---- what the thread's turns tell

    def typed(self, words: str) -> None:
        """The user has said something to the thread itself."""
        if self._session is not None and words and not words.startswith(DELEGATION):
            self._hint(self._session, speech.text(self._version, words))

    def answered(self, words: str) -> None:
        """The agent has said something."""
        session = self._session
        if session is not None and session.handoff is not None and self._version == "v2":
            self._hint(session, speech.text("v2", words, "BACKEND"))

    def turn_ended(self, said: str | None, problem: str | None) -> None:
        """What was handed over is done, or is not going to be."""
        session = self._session
        if session is None or session.handoff is None:
            return
        handoff, session.handoff = session.handoff, None
        outcome = problem or speech.FINISHED
        if self._version == "v1":
            outcome = f'"Agent Final Message":\n\n{problem or said or ""}'
        self._hint(session, speech.result(self._version, handoff, outcome))
        self._respond(session)

    def _hint(self, session: Session, said: Json) -> None:
        """Something that is better lost than waited for."""
        try:
            session.out.send_nowait(said)
        except (trio.WouldBlock, trio.BrokenResourceError):
            self._clients.error("the provider does not keep up; it misses what the agent has said")

    def _respond(self, session: Session) -> None:
        """Have the model speak; one response at a time is all that the provider takes."""
        if self._version == "v1":
            return
        if session.responding:
            session.owes = True
        else:
            self._hint(session, {"type": "response.create"})

    # ---- the session

    async def _run(self, session: Session) -> None:
        reason = "transport_closed"
        try:
            with session.scope:
                reason = await self._converse(session)
            if session.scope.cancelled_caught:
                reason = "requested"
        except Exception as error:  # noqa: BLE001 - of a library, and of a server we do not know
            self._clients.error(_words(error))
            reason = "error"
        session.out.close()
        if self._session is session:
            self._session = None
        if not session.replaced and (session.started or reason == "requested"):
            self._clients.closed(reason)

    async def _converse(self, session: Session) -> str:
        """Until the end; why it has ended."""
        from workers.realtime.wire import address, connected  # noqa: PLC0415 - seldom wanted

        thread, opening, how = self._thread, session.opening, self._thread.settings.realtime
        base = how.base_url or thread.settings.provider.base_url
        headers = {**signed(thread.settings.provider), "x-session-id": opening.id}
        headers |= {"user-agent": thread.settings.user_agent}
        headers |= {"originator": thread.settings.originator}
        update = speech.update(how, opening.instructions, opening.modality, opening.voice)
        intent = "quicksilver" if how.version == "v1" else None
        call = None
        if opening.sdp is not None:
            call = await self._call(address(base, "/calls"), headers, opening, update["session"])
        model = how.model if call is None else None
        async with connected(
            address(base, intent=intent, model=model, call_id=call), headers
        ) as wire:
            await wire.send(update)
            session.started = True
            self._clients.started(session.opening.id)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, session, wire)
                reason = await self._listen(session, wire)
                nursery.cancel_scope.cancel()
        return reason

    async def _listen(self, session: Session, wire: "Wire") -> str:
        while (said := await wire.next()) is not None:
            if (heard := speech.heard(said)) is None:
                continue
            if isinstance(heard, Failure) and self._fails(session, heard):
                return "error"
            self._take(session, heard)
            await self._thread.link.wait_room()
        return "transport_closed"

    async def _call(
        self, url: str, headers: dict[str, str], opening: Opening, session: Json
    ) -> str:
        from workers.realtime.wire import called  # noqa: PLC0415 - as above

        assert opening.sdp is not None
        own = {**session, "model": self._thread.settings.realtime.model}
        answer, call = await called(url, headers, opening.sdp, own)
        self._clients.sdp(answer)
        return call

    async def _write(self, session: Session, wire: "Wire") -> None:
        async for said in session.waiting:
            await wire.send(said)

    def _fails(self, session: Session, failure: Failure) -> bool:
        """Whether it is the end, as all failures are but one of haste."""
        if failure.code == "conversation_already_has_active_response":
            session.responding = session.owes = True
            return False
        self._clients.error(failure.message)
        return True

    # ---- what the provider says

    def _take(self, session: Session, heard: Heard) -> None:
        match heard:
            case Sound(chunk):
                self._sound(session, heard)
                self._clients.sound(chunk)
            case Words(role, text, whole):
                if whole:
                    session.spoken.append((role, text))
                self._clients.words(role, text, whole=whole)
            case Added(item):
                self._clients.added(item)
            case Interrupted(item_id):
                self._interrupted(session)
                self._clients.added(
                    {"type": "input_audio_buffer.speech_started", "item_id": item_id}
                )
            case Responding():
                self._responding(session, heard)
            case Silence(call_id):
                self._hint(session, speech.result("v2", call_id, ""))
            case Handoff():
                self._hand_over(session, heard)
            case Failure():
                pass  # of no consequence

    def _sound(self, session: Session, sound: Sound) -> None:
        if (item := sound.chunk.item_id) is not None:
            before = session.playing[1] if session.playing and session.playing[0] == item else 0
            session.playing = (item, before + sound.milliseconds)

    def _interrupted(self, session: Session) -> None:
        playing, session.playing = session.playing, None
        if playing is not None and playing[1] > 0 and self._version == "v2":
            self._hint(session, speech.truncate(*playing))

    def _responding(self, session: Session, heard: Responding) -> None:
        session.responding = heard.now
        if heard.now:
            session.playing = None
        if heard.cancelled is not None:
            self._clients.added({"type": "response.cancelled", "response_id": heard.cancelled})
        if not heard.now and session.owes:
            session.owes = False
            self._respond(session)

    def _hand_over(self, session: Session, heard: Handoff) -> None:
        spoken, session.spoken = session.spoken, []
        if not spoken or spoken[-1][1] != heard.text:
            spoken.append(("user", heard.text))
        self._clients.added(
            {
                "type": "handoff_request",
                "handoff_id": heard.id,
                "item_id": heard.item_id,
                "input_transcript": heard.text,
                "active_transcript": [{"role": role, "text": text} for role, text in spoken],
            }
        )
        thread, inputs = self._thread, [TextInput(_delegation(heard.text, spoken))]
        if thread.turn is None:
            session.handoff = heard.id
            self._begin(TurnStartParams(list(inputs), thread.thread.id))
        elif thread.turn.kind is None:
            thread.turn.steer(list(inputs))
            if session.handoff is None:  # the turn was the user's; from now on it is heard, too
                session.handoff = heard.id
            else:
                self._hint(session, speech.result(self._version, heard.id, speech.STEERED))
                self._respond(session)
        else:
            self._hint(session, speech.result(self._version, heard.id, BUSY))
            self._respond(session)

    def _begin(self, params: TurnStartParams) -> None:
        thread = self._thread
        if not self._told:
            self._told = True
            words = thread.settings.realtime.start_instructions or _TALKING
            thread.note(message("developer", words))
        thread.turn = RunningTurn(thread, params)
        thread.show()
        thread.nursery.start_soon(thread.turn.run)


def _delegation(text: str, spoken: list[tuple[str, str]]) -> str:
    """What the thread's model reads; the tags are those of the reference server."""
    import html  # noqa: PLC0415 - seldom wanted

    said = "\n".join(f"{role}: {words}" for role, words in spoken)
    return (
        f"{DELEGATION}\n  <input>{html.escape(text, quote=False)}</input>\n"
        f"  <transcript_delta>{html.escape(said, quote=False)}</transcript_delta>\n"
        "</realtime_delegation>"
    )


def _words(error: Exception) -> str:
    """Why it went wrong; groups are what a nursery makes of a single failure."""
    while isinstance(error, ExceptionGroup):
        error = cast("ExceptionGroup[Exception]", error).exceptions[0]
    return error.message if isinstance(error, ProviderError) else str(error) or repr(error)
