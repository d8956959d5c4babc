"""A model that does what the user's last word asks, whichever thread it is asked for.

A word is a verb and a number that is said once only, so what a request holds can be told from it
alone, and what was said can be found again wherever it is kept.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import trio

from tests.model import Asked, Model, Piece
from workers.scripted import ToolCall

WORD = re.compile(r"(say|hold|linger|fail|run|sleep|answer|injected) (\d+)")
HELD = ("hold", "linger")  # until their gate is opened
REFUSED = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 5\r\nconnection: close\r\n\r\nfail!"


class Oracle(Model):
    """`heard` holds the words of each request by the word that it was made for.

    `say N` is answered at once with `answer N`, `hold N` when its gate is open, `linger N` at once,
    but the response goes on until its gate is open.  `fail N` is refused; `run N` and `sleep N`
    are a command first, of which the latter does not end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gates: defaultdict[str, trio.Event] = defaultdict(trio.Event)
        self.heard: dict[str, list[str]] = {}
        self.summaries = 0

    def _next_reply(self, asked: Asked) -> Iterator[Piece]:
        return iter(self._answer_to(asked))

    def _answer_to(self, asked: Asked) -> Iterable[Piece]:
        items = asked["input"]
        if not asked.get("tools"):
            self.summaries += 1
            return self._reply(("What was said until now.",), asked)
        said = words(items)
        word = [word for word in said if not word.startswith(("answer", "injected"))][-1]
        self.heard[word] = said
        verb, _, number = word.partition(" ")
        answer = f"answer {number}"
        match verb:
            case "fail":
                return [REFUSED]
            case "run" if items[-1]["type"] != "function_call_output":
                return self._reply((ToolCall("exec_command", {"cmd": f"echo {number}"}),), asked)
            case "sleep" if items[-1]["type"] != "function_call_output":
                forever = {"cmd": f"sleep 6{number}", "yield_time_ms": 30_000}
                return self._reply((ToolCall("exec_command", forever),), asked)
            case "hold":
                return self._reply((self.gates[word], answer), asked)
            case "linger":
                return self._reply((answer, self.gates[word]), asked)
            case _:
                return self._reply((answer,), asked)


def words(items: list[dict[str, Any]]) -> list[str]:
    """The words among a request's items, oldest first."""
    return list(_words(items))


def _words(items: list[dict[str, Any]]) -> Iterator[str]:
    for item in items:
        for part in item.get("content") or () if item["type"] == "message" else ():
            if WORD.fullmatch(part.get("text", "")):
                yield part["text"]
