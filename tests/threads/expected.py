"""What must be true of threads, as simply as it can be said: no processes, no files, no order."""

from dataclasses import dataclass, field

from tests.client import Client


@dataclass(eq=False)
class ExpectedTurn:
    """`before` is what the model knew when it began.  `id` is "" for one that nobody has named.

    `readback` are the statuses that it may be read with; a turn that its worker's death has cut
    off was told as failed, but its file may not say so.
    """

    id: str
    before: list[str]
    said: list[str] = field(default_factory=list[str])
    readback: tuple[str, ...] = ("inProgress",)

    def copy(self) -> "ExpectedTurn":
        is_open = self.readback == ("inProgress",)
        readback = ("interrupted",) if is_open else self.readback
        return ExpectedTurn(self.id, self.before, [*self.said], readback)


@dataclass(eq=False)
class ExpectedThread:
    """`context` is what the model knows, in words; `steered` what it will hear next.

    A thread that is `dead` is loaded and has no worker.  `word` is what its running turn does.
    """

    id: str
    name: str | None = None
    stored: bool = False
    archived: bool = False
    loaded: bool = True
    dead: bool = False
    broken: bool = False
    path: str = ""
    preview: str = ""
    turns: list[ExpectedTurn] = field(default_factory=list[ExpectedTurn])
    context: list[str] = field(default_factory=list[str])
    word: str | None = None
    steered: list[str] = field(default_factory=list[str])
    subscribers: set[Client] = field(default_factory=set[Client])

    @property
    def status(self) -> str:
        if not self.loaded:
            return "notLoaded"
        if self.word is not None:
            return "active"
        return "systemError" if self.broken else "idle"

    # ---- a turn

    def begin(self, turn_id: str) -> ExpectedTurn:
        self.turns.append(ExpectedTurn(turn_id, [*self.context]))
        self.broken = self.dead = False
        return self.turns[-1]

    def hears(self, word: str) -> None:
        self.turns[-1].said.append(word)
        self.context.append(word)
        self.preview = self.preview or word
        self.stored = True
        self.word = word

    def answers(self) -> str:
        """The model has answered what it does."""
        assert self.word is not None
        answer = f"answer {self.word.partition(' ')[2]}"
        self.turns[-1].said.append(answer)
        self.context.append(answer)
        return answer

    def end(self, *readback: str, broken: bool = False) -> ExpectedTurn:
        self.turns[-1].readback = readback
        self.word, self.steered, self.broken = None, [], broken
        return self.turns[-1]

    # ---- all else

    def roll_back(self, count: int) -> None:
        cut = self.turns[-count:]
        self.turns = self.turns[: len(self.turns) - len(cut)]
        if cut:
            self.context = [*cut[0].before]

    def compact(self) -> None:
        self.context = [word for word in self.context if not word.startswith("answer")]

    def unload(self) -> None:
        self.loaded = self.dead = self.broken = False
        self.subscribers.clear()

    def fork(self, id: str, client: Client) -> "ExpectedThread":
        return ExpectedThread(
            id,
            stored=True,
            preview=self.preview,
            turns=[turn.copy() for turn in self.turns],
            context=[*self.context],
            subscribers={client},
        )
