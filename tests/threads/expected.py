"""What must be true of threads, as simply as it can be said: no processes, no files, no order."""

from dataclasses import dataclass, field

from tests.client import Client


@dataclass(eq=False)
class ExpectedTurn:
    """`before` is what the model knew when it began, None when nobody can say.

    `id` is "" for one that nobody has named.  `readback` are the statuses that it may be read with;
    a turn that its worker's death has cut off was told as failed, but its file may not say so.
    """

    id: str
    before: list[str] | None
    said: list[str] = field(default_factory=list[str])
    readback: tuple[str, ...] = ("inProgress",)

    def copy(self) -> "ExpectedTurn":
        is_open = self.readback == ("inProgress",)
        readback = ("interrupted",) if is_open else self.readback
        return ExpectedTurn(self.id, self.before, [*self.said], readback)


@dataclass(eq=False)
class ExpectedThread:
    """`context` is what the model knows, in words; None when nobody can say.

    `steered` is what it will hear next.

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
    context: list[str] | None = field(default_factory=list[str])
    word: str | None = None
    steered: list[str] = field(default_factory=list[str])
    subscribers: set[Client] = field(default_factory=set[Client])

    @property
    def status(self) -> str:
        if not self.loaded:
            return "notLoaded"
        if self.broken:
            return "systemError"
        return "idle" if self.word is None else "active"

    # ---- a turn

    def begin(self, turn_id: str) -> ExpectedTurn:
        self.turns.append(ExpectedTurn(turn_id, _copy(self.context)))
        self.broken = self.dead = False
        return self.turns[-1]

    def hears(self, word: str) -> None:
        self.turns[-1].said.append(word)
        self.learns(word)
        self.preview = self.preview or word
        self.stored = True
        self.word = word

    def answers(self) -> str:
        """The model has answered what it does."""
        assert self.word is not None
        answer = f"answer {self.word.partition(' ')[2]}"
        self.turns[-1].said.append(answer)
        self.learns(answer)
        return answer

    def end(self, *readback: str, broken: bool = False) -> ExpectedTurn:
        self.turns[-1].readback = readback
        self.word, self.steered, self.broken = None, [], self.broken or broken
        return self.turns[-1]

    # ---- all else

    def roll_back(self, count: int) -> None:
        cut = self.turns[-count:]
        self.turns = self.turns[: len(self.turns) - len(cut)]
        if cut:
            self.context = _copy(cut[0].before)

    def compact(self) -> None:
        if self.context is not None:
            self.context = [word for word in self.context if not word.startswith("answer")]

    def learns(self, word: str) -> None:
        if self.context is not None:
            self.context.append(word)

    def revive(self) -> None:
        """A request has reached its worker: if there was none, there is another now."""
        if self.dead:
            self.dead = self.broken = False

    def unload(self) -> None:
        self.loaded = self.dead = self.broken = False
        self.subscribers.clear()

    def fork(self, id: str, client: Client) -> "ExpectedThread":
        return ExpectedThread(
            id,
            stored=True,
            preview=self.preview,
            turns=[turn.copy() for turn in self.turns],
            context=_copy(self.context),
            subscribers={client},
        )


def _copy(words: list[str] | None) -> list[str] | None:
    return None if words is None else [*words]
