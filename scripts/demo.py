"""One turn of a thread in the terminal, played by a written script: no key, no model, no network.

The server is the real one, and so are the command, the patch and the approval.  Only the model is
a script (workers/demo.json).  Exit status 0 means that the turn completed and its file was written.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from select import select
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from protocol.approval import (
    CommandExecutionRequestApprovalParams,
    CommandExecutionRequestApprovalResponse,
    FileChangeRequestApprovalParams,
    FileChangeRequestApprovalResponse,
)
from protocol.envelope import Envelope
from protocol.framing import Lines, Overlong
from protocol.initialize import ClientInfo, InitializeParams
from protocol.item import (
    AgentMessage,
    AgentMessageDeltaNotification,
    CommandExecution,
    CommandExecutionOutputDeltaNotification,
    FileChange,
    ItemCompletedNotification,
    ItemStartedNotification,
    Reasoning,
    ReasoningSummaryTextDeltaNotification,
    TextInput,
)
from protocol.loading import ThreadStartParams
from protocol.methods import INITIALIZE, NOTIFICATIONS, QUESTIONS, THREAD_START, TURN_START
from protocol.row import Method
from protocol.thread import ThreadTokenUsageUpdatedNotification
from protocol.turn import ErrorNotification, TurnCompletedNotification, TurnStartParams

P = TypeVar("P", bound=Struct)
R = TypeVar("R", bound=Struct)

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "workers" / "demo.json"
ASKED = "Look around, then leave a note that you were here."
WRITTEN = "ATRIO-DEMO.md"  # by the script's patch
SILENCE_SECONDS = 60  # the script pauses for fractions of a second; longer than this is a fault
RULE = 'prefix_rule(pattern=["python3", "--version"], decision="allow")\n'

COLOURED = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
DIM, BOLD, RED, GREEN, CYAN = "2", "1", "31", "32", "36"

AFTERWARDS = """
That was a written script.  To work with a model, name one in ~/.codex/config.toml:

  model = "gpt-5.4"
  model_provider = "mine"
  [model_providers.mine]
  name = "Mine"
  base_url = "https://api.openai.com/v1"   # or whatever else speaks the Responses API
  env_key = "OPENAI_API_KEY"               # the variable that holds its key, if it wants one

then use a client that you know already:

  {atrio} app-server --listen ws://127.0.0.1:4500
  codex --remote ws://127.0.0.1:4500       # the Codex terminal UI, in a second terminal

  CodexConfig(codex_bin="{atrio}")         # the Python SDK starts it by itself
"""


class Failed(Exception):
    """The demonstration cannot go on."""


class Server:
    """The server on pipes, and a client's end of the conversation."""

    def __init__(self, scratch: Path) -> None:
        self._log = scratch / "server.log"
        self._splitter = Lines(limit=1 << 24)
        self._heard: Iterator[bytes | Overlong] = iter(())
        self._calls = 0
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                cwd=scratch / "project", env={**os.environ, "CODEX_HOME": str(scratch / "home")},
            )  # fmt: skip

    def close(self) -> None:
        """End the server as a client does: by ending its input."""
        assert self._process.stdin
        assert self._process.stdout
        with self._process:
            self._process.stdin.close()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def call(self, row: Method[P, R], params: P) -> R:
        """Ask and wait for the answer; what comes before it is passed over.

        Raises Failed when the server refuses.
        """
        self._calls += 1
        self._send({"id": self._calls, "method": row.name, "params": params})
        while (answer := self._receive()).id != self._calls:
            pass
        if not isinstance(answer.error, msgspec.UnsetType):
            raise Failed(f"{row.name} was refused: {bytes(answer.error).decode()}")
        assert not isinstance(answer.result, msgspec.UnsetType)
        return row.decode_result(bytes(answer.result))

    def events(self) -> Iterator[tuple[Any, int | str | None]]:
        """Yield what the server says: the params, and the id when they want an answer."""
        while True:
            said = self._receive()
            if isinstance(said.method, msgspec.UnsetType):
                continue
            row = QUESTIONS.get(said.method) or NOTIFICATIONS.get(said.method)
            if row is not None and not isinstance(said.params, msgspec.UnsetType):
                id = None if isinstance(said.id, msgspec.UnsetType) else said.id
                yield msgspec.json.decode(said.params, type=row.params), id

    def answer(self, id: int | str, result: Struct) -> None:
        self._send({"id": id, "result": result})

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin
        try:
            self._process.stdin.write(msgspec.json.encode(message) + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._gone() from None

    def _receive(self) -> Envelope:
        assert self._process.stdout
        while (line := next(self._heard, None)) is None:
            if not select([self._process.stdout], [], [], SILENCE_SECONDS)[0]:
                raise Failed(f"the server has said nothing for {SILENCE_SECONDS} s")
            data = os.read(self._process.stdout.fileno(), 1 << 16)
            if not data:
                raise self._gone()
            self._heard = self._splitter.feed(data)
        if isinstance(line, Overlong):
            raise Failed(f"the server sent a line that is too long: {line}")
        return msgspec.json.decode(line, type=Envelope)

    def _gone(self) -> Failed:
        status = self._process.wait()
        said = self._log.read_text(errors="replace").strip()
        return Failed(f"the server ended with status {status} and these words:\n{said}")


def command() -> list[str]:
    provider = f'{{ name = "Demo", wire_api = "scripted", script = {quoted(str(SCRIPT))} }}'
    settings = (
        'model_provider="demo"',
        f"model_providers.demo={provider}",
        'approval_policy="untrusted"',
        'sandbox_mode="danger-full-access"',
    )
    flags = [text for setting in settings for text in ("-c", setting)]
    return [str(atrio()), *flags, "app-server"]


def atrio() -> Path:
    return Path(sys.executable).with_name("atrio")


def quoted(text: str) -> str:
    """A TOML string; JSON's are a subset of TOML's."""
    return msgspec.json.encode(text).decode()


def show(text: str, colour: str = "", end: str = "\n") -> None:
    print(f"\033[{colour}m{text}\033[0m" if COLOURED and colour else text, end=end, flush=True)


def show_diff(item: FileChange) -> None:
    for change in item.changes:
        show(f"patch: {change.kind.__class__.__name__.removesuffix('Change')} {change.path}", BOLD)
        lines = change.diff.splitlines()
        whole = not any(line.startswith("@@") for line in lines)  # a new file comes as its text
        for line in lines:
            mark = "+" if whole else line[:1]
            text = f"+{line}" if whole else line
            show(f"  {text}", {"+": GREEN, "-": RED}.get(mark, DIM))


def is_agreed(question: str) -> bool:
    """Ask the user; where nobody can be asked, say yes and say so."""
    if not sys.stdin.isatty():
        show(f"{question} [Y/n] y   (no terminal here: the demonstration answers)", CYAN)
        return True
    show(f"{question} [Y/n] ", CYAN, end="")
    return input().strip().lower() in ("", "y", "yes")


class Turn:
    """Shows a turn as it happens."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._streamed: set[str] = set()
        self._usage: ThreadTokenUsageUpdatedNotification | None = None

    def watch(self) -> TurnCompletedNotification:
        """Return when the turn has ended."""
        for params, id in self._server.events():
            if isinstance(params, TurnCompletedNotification):
                self._show_usage()
                return params
            if id is None:
                self._show(params)
            else:
                self._decide(params, id)
        raise AssertionError("events end with an exception only")

    def _show(self, params: Struct) -> None:
        match params:
            case ReasoningSummaryTextDeltaNotification():
                show(params.delta, DIM, end="")
            case AgentMessageDeltaNotification():
                show(params.delta, end="")
            case CommandExecutionOutputDeltaNotification():
                self._streamed.add(params.item_id)
                show(params.delta, DIM, end="")
            case ItemStartedNotification(CommandExecution() as item):
                show(f"$ {item.command}", BOLD)
            case ItemStartedNotification(FileChange() as item):
                show_diff(item)
            case ItemCompletedNotification():
                self._show_end(params)
            case ThreadTokenUsageUpdatedNotification():
                self._usage = params
            case ErrorNotification():
                show(f"error: {params.error.message}", RED)
            case _:
                pass

    def _show_end(self, params: ItemCompletedNotification) -> None:
        match params.item:
            case AgentMessage() | Reasoning():
                show("\n")
            case CommandExecution() as item:
                if item.id not in self._streamed:  # a quick one may end before it streams
                    show(item.aggregated_output or "", DIM, end="")
                show(f"exit code {item.exit_code}, {item.status}\n", DIM)
            case FileChange() as item:
                show(f"patch {item.status}\n", DIM)
            case _:
                pass

    def _decide(self, params: Struct, id: int | str) -> None:
        match params:
            case FileChangeRequestApprovalParams():
                decision = "accept" if is_agreed("Apply this patch?") else "decline"
                self._server.answer(id, FileChangeRequestApprovalResponse(decision=decision))
            case CommandExecutionRequestApprovalParams():
                decision = "accept" if is_agreed(f"Run `{params.command}`?") else "decline"
                self._server.answer(id, CommandExecutionRequestApprovalResponse(decision=decision))
            case _:
                raise Failed(f"the server asks what the script does not lead to: {params}")

    def _show_usage(self) -> None:
        if self._usage is not None:
            total = self._usage.token_usage.total
            cached = total.cached_input_tokens
            show(
                f"tokens: {total.input_tokens:,} in ({cached:,} cached), "
                f"{total.output_tokens:,} out (the script's own figures)",
                DIM,
            )


def play(scratch: Path) -> None:
    """Raises Failed."""
    (scratch / "project").mkdir()
    (scratch / "project" / "notes.txt").write_text("A file to be found.\n")
    rules = scratch / "home" / "rules"
    rules.mkdir(parents=True)
    (rules / "default.rules").write_text(RULE)
    with closing(Server(scratch)) as server:
        client = ClientInfo(name="atrio_demo", version="1", title="Atrio demo")
        server.call(INITIALIZE, InitializeParams(client_info=client))
        here = str(scratch / "project")
        thread = server.call(THREAD_START, ThreadStartParams(cwd=here)).thread
        show(f"> {ASKED}\n", BOLD)
        server.call(TURN_START, TurnStartParams(thread_id=thread.id, input=[TextInput(ASKED)]))
        turn = Turn(server).watch().turn
    if turn.status != "completed":
        raise Failed(f"the turn ended as {turn.status}: {turn.error and turn.error.message}")
    if not (scratch / "project" / WRITTEN).is_file():
        raise Failed(f"{WRITTEN} was not written; it is only when you agree to the patch")


def main() -> int:
    try:
        with tempfile.TemporaryDirectory(prefix="atrio-demo-") as scratch:
            play(Path(scratch).resolve())
    except Failed as problem:
        print(f"\ndemo: {problem}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, EOFError):
        print("\ndemo: stopped", file=sys.stderr)
        return 130
    show(AFTERWARDS.format(atrio=atrio()), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
