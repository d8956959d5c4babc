"""What clients do to a thread besides talking to it: shorten, take back, label, clean up."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from protocol.item import ThreadItem
from protocol.thread import SortDirection, Thread
from protocol.wire import Nothing, Wire

U32 = Annotated[int, Meta(ge=0, le=(1 << 32) - 1)]


class ThreadCompactStartParams(Wire):
    thread_id: str


class ThreadCompactStartResponse(Nothing):
    """The compaction is a turn of its own, of which notifications tell."""


class ThreadShellCommandParams(Wire):
    """`command` is a script for the user's shell; it runs without a sandbox."""

    command: str
    thread_id: str


class ThreadShellCommandResponse(Nothing):
    """The command is an item, of which notifications tell."""


class ThreadInjectItemsParams(Wire):
    """`items` are the Responses API's own JSON."""

    items: list[Any]
    thread_id: str


class ThreadInjectItemsResponse(Nothing):
    """They count from the next request to the model on."""


class ThreadRollbackParams(Wire):
    num_turns: U32
    thread_id: str


class ThreadRollbackResponse(Wire):
    """`thread` with the turns that are left."""

    thread: Thread


class ThreadMetadataGitInfoUpdateParams(Wire):
    """What is left out stays as it is, null clears."""

    branch: str | UnsetType | None = UNSET
    origin_url: str | UnsetType | None = UNSET
    sha: str | UnsetType | None = UNSET


class ThreadMetadataUpdateParams(Wire):
    thread_id: str
    git_info: ThreadMetadataGitInfoUpdateParams | None = None


class ThreadMetadataUpdateResponse(Wire):
    thread: Thread


ThreadMemoryMode = Literal["enabled", "disabled"]


class ThreadMemoryModeSetParams(Wire):
    mode: ThreadMemoryMode
    thread_id: str


class ThreadMemoryModeSetResponse(Nothing):
    """No further fields."""


class ThreadIncrementElicitationParams(Wire):
    thread_id: str


class ThreadIncrementElicitationResponse(Wire):
    """How many questions a client asks its user at the moment, besides ours."""

    count: int
    paused: bool


class ThreadDecrementElicitationParams(Wire):
    thread_id: str


class ThreadDecrementElicitationResponse(ThreadIncrementElicitationResponse):
    """The same shape as `thread/increment_elicitation` answers with."""


class ThreadBackgroundTerminalsCleanParams(Wire):
    thread_id: str


class ThreadBackgroundTerminalsCleanResponse(Nothing):
    """Clients hear of each command that it was ended."""


class ThreadTurnsItemsListParams(Wire):
    thread_id: str
    turn_id: str
    cursor: str | None = None
    limit: U32 | None = None
    sort_direction: SortDirection | None = None


class ThreadTurnsItemsListResponse(Wire):
    data: list[ThreadItem]
    backwards_cursor: str | None = None
    next_cursor: str | None = None
