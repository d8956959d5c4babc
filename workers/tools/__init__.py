"""What the model can do, one tool per file.

A tool is a row of `TOOLS` in `registry`: what the model is told about it, and the function that
serves its calls.  A tool talks to the client only through the `Turn` that it is given.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from msgspec import Struct

from protocol.item import ThreadItem
from protocol.row import Method, Notification
from protocol.settings import Settings

if TYPE_CHECKING:
    from workers.agents import Agents
    from workers.approval import Approvals
    from workers.approval.review import ReviewRequest
    from workers.approval.verdict import Verdict
    from workers.elicitation import Elicitations
    from workers.goal import Pursuit
    from workers.hooks.runs import Hooks
    from workers.mcp.servers import Servers
    from workers.network import ThreadNetwork
    from workers.tools.diff import TurnDiff
    from workers.tools.sessions import Sessions

P = TypeVar("P", bound=Struct)
R = TypeVar("R", bound=Struct)

# What goes back to the model: text, or content items such as images.
Content = str | list[dict[str, Any]]


class Unasked(Exception):
    """A question got no answer: a client refused it with an error, or nobody is left to ask."""


class TurnAborted(Exception):
    """The user ended the turn from within a tool, by answering `cancel`."""


@dataclass(frozen=True)
class Call:
    """One call of the model; `arguments` is JSON, or free text for a custom tool."""

    id: str
    name: str
    arguments: str
    namespace: str | None = None


class ToolFailure(Exception):
    """A call that went wrong; the text is for the model."""


class Turn(Protocol):
    """The running turn, as much of it as a tool may know."""

    id: str
    thread_id: str

    @property
    def settings(self) -> Settings: ...
    @property
    def approvals(self) -> "Approvals": ...
    @property
    def sessions(self) -> "Sessions": ...
    @property
    def elicitations(self) -> "Elicitations": ...
    @property
    def pursuit(self) -> "Pursuit": ...
    @property
    def network(self) -> "ThreadNetwork": ...
    @property
    def diff(self) -> "TurnDiff": ...
    @property
    def agents(self) -> "Agents": ...
    @property
    def servers(self) -> "Servers": ...
    @property
    def hooks(self) -> "Hooks": ...

    def started(self, item: ThreadItem) -> None:
        """Tell `item/started`."""
        ...

    def completed(self, item: ThreadItem) -> None:
        """Write the item to the rollout, then tell `item/completed`."""
        ...

    def tell(self, row: Notification[P], params: P) -> None:
        """Send any other notification about this turn."""
        ...

    async def ask(self, row: Method[P, R], params: P) -> R:
        """Ask the thread's clients.

        Raises Unasked when the answer is an error, and msgspec.DecodeError when it has the wrong
        shape.
        """
        ...

    async def review(self, request: "ReviewRequest") -> "Verdict":
        """Have the reviewing model decide instead of the clients, who are told of it."""
        ...

    def advise(self, text: str, role: Literal["user", "developer"] = "user") -> None:
        """Tell the model something of our own, ahead of the outputs of its calls."""
        ...

    def record(self, event: dict[str, Any]) -> None:
        """Append an `event_msg` line to the rollout; `event` has a `type`."""
        ...


Serve = Callable[[Turn, Call], Awaitable[Content]]


@dataclass(frozen=True)
class Tool:
    """`spec` is what the provider is sent: one entry of the request's `tools`."""

    spec: dict[str, Any]
    serve: Serve
    alone: bool = True
    """Whether calls of one response wait for each other; commands need not."""
    known: bool = True
    """Whether it is served to models that were not offered it, since they know it by heart."""

    late: bool = False
    """Whether calls wait for the end of the response that makes them."""

    @property
    def name(self) -> str:
        return self.spec["name"]
