"""How a worker becomes a thread: new, loaded from its rollout, or forked from another's.

The supervisor has said which in the spawn spec; the client's request comes next and is answered
here, with everything the client should know of its thread.
"""

import time
from typing import TYPE_CHECKING

import msgspec

from protocol import catalogue, stored
from protocol.errors import invalid
from protocol.methods import (
    THREAD_FORK,
    THREAD_RESUME,
    THREAD_START,
    THREAD_STARTED,
)
from protocol.policy import DangerFullAccess
from protocol.thread import (
    IdleStatus,
    Thread,
    ThreadForkParams,
    ThreadForkResponse,
    ThreadResumeParams,
    ThreadResumeResponse,
    ThreadStartedNotification,
    ThreadStartParams,
    ThreadStartResponse,
)
from protocol.turn import Turn
from workers import docs, git, rollout
from workers.mailbox import serves

if TYPE_CHECKING:
    from workers.thread import LoadedThread
