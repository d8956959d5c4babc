"""What the supervisor and a worker say to each other.

One stream per worker carries frames: four bytes of length, one msgpack array.  The first frame
down is the spawn spec, the first one up is `Hello`.  Every `body`, `params` and `result` is JSON
that is already final: the supervisor passes it on without looking inside.
"""

from typing import Any, Literal

import msgspec
from msgspec import field

from protocol.app import AppInfo
from protocol.frame import Frame
from protocol.framing import pack
from protocol.hook import HookMetadata
from protocol.item import CollabAgentStatus
from protocol.network import ManagedNetwork
from protocol.policy import DangerFullAccess, PermissionProfile, SandboxPolicy
from protocol.seldom import (
    AskStatus,
    Find,
    LogIn,
    Query,
    ReadResource,
    StartSearches,
    StartServices,
)
from protocol.settings import Limits, McpServer, Settings, ShellEnvironment
from protocol.thread import DynamicToolSpec, SessionSource, Thread, ThreadSource

# ---- down: supervisor to worker


class StartThread(Frame):
    """Be this thread.  The first call that follows is thread/start, thread/resume or thread/fork.

    `rollout` is the file to load (resume) or to copy from (fork); `history` are response items
    to begin with instead.  `next_seq` goes on counting where an earlier worker stopped.
    An agent's first call is `AGENT_LOAD`, and `session_id` is the user's thread that it works for.
    """

    thread_id: str
    settings: Settings
    rollout: str | None = None
    forked_from: str | None = None
    words_only: bool = False
    """Of what is forked keep what was said, not what was done."""
    history: list[dict[str, Any]] | None = None
    keep_model: bool = False
    """Go on with the model and effort of the last turn: the client has named none."""
    ephemeral: bool = False
    name: str | None = None
    created_at: int | None = None
    updated_at: int | None = None
    source: SessionSource = "vscode"
    session_id: str | None = None
    thread_source: ThreadSource | None = None
    dynamic_tools: list[DynamicToolSpec] = field(default_factory=list[DynamicToolSpec])
    raw_events: bool = False
    next_seq: int = 0
    revived: bool = False
    """Another worker has been this thread and died: clients should hear that it is well again."""

    @property
    def resumed(self) -> bool:
        """Whether the thread comes out of `notLoaded`: it has been before, if only elsewhere."""
        return self.history is not None or (self.rollout is not None and self.forked_from is None)


class StartCommands(Frame):
    """Be a command worker: each call is a `Spawn`, or a `Call` about an earlier one."""


class Spawn(Frame):
    """Start a process of a client's own.  `n` is the call, and from then on names the process.

    `answer` says what its end is: the reply to the call, or a `process/exited` long after it.
    `cwd` is absolute; `env` is laid over what `shell_environment` leaves of the worker's own, null
    takes a variable away.  `project` is the folder that the policy is about.
    """

    n: int
    id: str
    answer: Literal["atEnd", "atStart"]
    argv: list[str]
    cwd: str
    env: dict[str, str | None]
    tty: bool = False
    rows: int = 24
    cols: int = 80
    stdin: bool = False
    stream: bool = False
    cap_bytes: int | None = None
    timeout_ms: int | None = None
    project: str = "/"
    sandbox_policy: SandboxPolicy = field(default_factory=DangerFullAccess)
    permission_profile: PermissionProfile | None = None
    network: ManagedNetwork | None = None
    """If it is managed; the folders are those of the rules about hosts, the user's own first."""
    rules_folders: list[str] = field(default_factory=list[str])
    shell_environment: ShellEnvironment = field(default_factory=ShellEnvironment)
    limits: Limits = field(default_factory=Limits)


class Taken(Frame):
    """The client of process `n` has room for `size` more bytes of events."""

    n: int
    size: int


class Call(Frame):
    """A client's request; `n` is ours and comes back with the reply."""

    n: int
    method: str
    params: bytes
    about: int | None = None
    """To a command worker: the call that began the process."""


class Answered(Frame):
    """A client's answer to `Ask` number `k`."""

    k: int
    result: bytes


class Refused(Frame):
    """Nobody could or would answer `Ask` number `k`."""

    k: int
    message: str


class Cancel(Frame):
    """The caller of `n` has gone."""

    n: int


class Update(Frame):
    """The thread has a new name, or its file a new place."""

    name: str | None = None
    path: str | None = None


class Token(Frame):
    """What `NeedToken` asked for; without a token `problem` says why."""

    n: int
    token: str | None = None
    problem: str = ""


class Equip(Frame):
    """The configuration has other MCP servers now, or other hooks."""

    mcp_servers: dict[str, McpServer]
    hooks: list[HookMetadata] = field(default_factory=list[HookMetadata])


class Rest(Frame):
    """The server is about to end: begin nothing that nobody asks for."""


class Agent(Frame):
    """How an agent fares: up its own worker says it, down its parent's worker is told.

    `message` is what it said last, or what went wrong.
    """

    thread_id: str
    status: CollabAgentStatus
    message: str | None = None


class Bye(Frame):
    """End: finish what is on disk and leave within `seconds`."""

    seconds: float
    reason: str = ""


# ---- up: worker to supervisor


class Hello(Frame):
    pid: int


class Reply(Frame):
    """To a call; down, to what a worker has asked of the supervisor."""

    n: int
    body: bytes


class Failed(Frame):
    """The same when it went wrong."""

    n: int
    code: int
    message: str
    data: Any = None


class Ask(Frame):
    """A question for the clients of this thread."""

    k: int
    method: str
    params: bytes


class Withdrawn(Frame):
    """Question `k` needs no answer any more."""

    k: int


class Event(Frame):
    """A finished notification.  `seq` rises by one per thread, across unloads too."""

    seq: int
    method: str
    body: bytes
    only: int | None = None
    """Call `n`, when this is for its caller alone."""


class State(Frame):
    """What the supervisor must be able to say about the thread without asking.

    `thread` has no turns; `turn_id` names the running turn; `stored` is true once there is a
    rollout on disk.
    """

    thread: Thread
    turn_id: str | None = None
    stored: bool = False


class StartAgent(Frame):
    """Load a thread of this thread's own and give it its first input.

    `input` are params of `AGENT_INPUT`; `limit` is how many agents the whole tree may have open.
    """

    n: int
    spec: StartThread
    input: bytes
    limit: int


class TellAgent(Frame):
    """Pass `input` on to an agent of this thread."""

    n: int
    thread_id: str
    input: bytes


class ResumeAgent(Frame):
    """Load an agent of this thread again, from its file."""

    n: int
    thread_id: str
    settings: Settings
    session_id: str
    limit: int


class CloseAgent(Frame):
    """Unload an agent of this thread, and those that are its own."""

    n: int
    thread_id: str


class Allow(Frame):
    """The user allows a tool of an MCP server, or of an app, for good: keep that in the
    configuration."""

    server: str
    tool: str
    app: str | None = None


class Apps(Frame):
    """The apps whose tools this thread has; `installUrl` and the like are the directory's."""

    found: list[AppInfo]


class NeedToken(Frame):
    """The provider does not take the token of the host's login any more: is there another?"""

    n: int
    refused: str


class Log(Frame):
    """Something an operator should read."""

    level: Literal["debug", "info", "warning", "error"]
    message: str


Errand = StartAgent | TellAgent | ResumeAgent | CloseAgent
"""What a worker asks of the supervisor, answered by Reply or Failed with the same `n`."""

Birth = StartThread | StartCommands | StartSearches | StartServices
Order = Spawn | Taken | Find | Query | AskStatus | ReadResource | LogIn | Call
Down = (
    Birth
    | Order
    | Answered
    | Refused
    | Reply
    | Failed
    | Agent
    | Cancel
    | Update
    | Token
    | Equip
    | Rest
    | Bye
)
Up = (
    Hello
    | Reply
    | Failed
    | Ask
    | Withdrawn
    | Event
    | State
    | Agent
    | Errand
    | Allow
    | Apps
    | NeedToken
    | Log
)

_encode = msgspec.msgpack.Encoder().encode
decode_down = msgspec.msgpack.Decoder(Down).decode
decode_up = msgspec.msgpack.Decoder(Up).decode


def encode(frame: Frame) -> bytes:
    """The frame with its length before it, ready for the stream."""
    return pack(_encode(frame))
