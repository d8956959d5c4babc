"""Requests of the handshake and about threads and turns."""

from protocol import (
    goal,
    guardian,
    initialize,
    loading,
    maintenance,
    realtime,
    review,
    thread,
    turn,
)
from protocol.row import request

# ---- requests: the handshake

INITIALIZE = request("initialize", initialize.InitializeParams, initialize.InitializeResponse)
MOCK_EXPERIMENTAL_METHOD = request(
    "mock/experimentalMethod",
    initialize.MockExperimentalMethodParams,
    initialize.MockExperimentalMethodResponse,
    experimental=True,
)

# ---- requests: threads

THREAD_START = request("thread/start", loading.ThreadStartParams, loading.ThreadStartResponse)
THREAD_RESUME = request("thread/resume", loading.ThreadResumeParams, loading.ThreadResumeResponse)
THREAD_FORK = request("thread/fork", loading.ThreadForkParams, loading.ThreadForkResponse)
THREAD_READ = request("thread/read", thread.ThreadReadParams, thread.ThreadReadResponse)
THREAD_LIST = request("thread/list", thread.ThreadListParams, thread.ThreadListResponse)
THREAD_LOADED_LIST = request(
    "thread/loaded/list", thread.ThreadLoadedListParams, thread.ThreadLoadedListResponse
)
THREAD_TURNS_LIST = request(
    "thread/turns/list",
    thread.ThreadTurnsListParams,
    thread.ThreadTurnsListResponse,
    experimental=True,
)
THREAD_NAME_SET = request(
    "thread/name/set", thread.ThreadSetNameParams, thread.ThreadSetNameResponse
)
THREAD_UNSUBSCRIBE = request(
    "thread/unsubscribe", thread.ThreadUnsubscribeParams, thread.ThreadUnsubscribeResponse
)
THREAD_ARCHIVE = request("thread/archive", thread.ThreadArchiveParams, thread.ThreadArchiveResponse)
THREAD_UNARCHIVE = request(
    "thread/unarchive", thread.ThreadUnarchiveParams, thread.ThreadUnarchiveResponse
)

# ---- requests: what is done to a thread besides talking to it

THREAD_COMPACT_START = request(
    "thread/compact/start",
    maintenance.ThreadCompactStartParams,
    maintenance.ThreadCompactStartResponse,
    by="thread_id",
)
THREAD_SHELL_COMMAND = request(
    "thread/shellCommand",
    maintenance.ThreadShellCommandParams,
    maintenance.ThreadShellCommandResponse,
    by="thread_id",
)
THREAD_INJECT_ITEMS = request(
    "thread/inject_items",
    maintenance.ThreadInjectItemsParams,
    maintenance.ThreadInjectItemsResponse,
    by="thread_id",
)
THREAD_APPROVE_GUARDIAN_DENIED_ACTION = request(
    "thread/approveGuardianDeniedAction",
    guardian.ThreadApproveGuardianDeniedActionParams,
    guardian.ThreadApproveGuardianDeniedActionResponse,
    by="thread_id",
)
THREAD_ROLLBACK = request(
    "thread/rollback",
    maintenance.ThreadRollbackParams,
    maintenance.ThreadRollbackResponse,
    by="thread_id",
)
THREAD_METADATA_UPDATE = request(
    "thread/metadata/update",
    maintenance.ThreadMetadataUpdateParams,
    maintenance.ThreadMetadataUpdateResponse,
)
THREAD_MEMORY_MODE_SET = request(
    "thread/memoryMode/set",
    maintenance.ThreadMemoryModeSetParams,
    maintenance.ThreadMemoryModeSetResponse,
    experimental=True,
)
THREAD_GOAL_SET = request(
    "thread/goal/set", goal.ThreadGoalSetParams, goal.ThreadGoalSetResponse, experimental=True
)
THREAD_GOAL_GET = request(
    "thread/goal/get", goal.ThreadGoalGetParams, goal.ThreadGoalGetResponse, experimental=True
)
THREAD_GOAL_CLEAR = request(
    "thread/goal/clear", goal.ThreadGoalClearParams, goal.ThreadGoalClearResponse, experimental=True
)
THREAD_INCREMENT_ELICITATION = request(
    "thread/increment_elicitation",
    maintenance.ThreadIncrementElicitationParams,
    maintenance.ThreadIncrementElicitationResponse,
    by="thread_id",
    experimental=True,
)
THREAD_DECREMENT_ELICITATION = request(
    "thread/decrement_elicitation",
    maintenance.ThreadDecrementElicitationParams,
    maintenance.ThreadDecrementElicitationResponse,
    by="thread_id",
    experimental=True,
)
THREAD_BACKGROUND_TERMINALS_CLEAN = request(
    "thread/backgroundTerminals/clean",
    maintenance.ThreadBackgroundTerminalsCleanParams,
    maintenance.ThreadBackgroundTerminalsCleanResponse,
    by="thread_id",
    experimental=True,
)
THREAD_TURNS_ITEMS_LIST = request(
    "thread/turns/items/list",
    maintenance.ThreadTurnsItemsListParams,
    maintenance.ThreadTurnsItemsListResponse,
    experimental=True,
)

# ---- requests: talking with a model

THREAD_REALTIME_START = request(
    "thread/realtime/start",
    realtime.ThreadRealtimeStartParams,
    realtime.ThreadRealtimeStartResponse,
    by="thread_id",
    experimental=True,
)
THREAD_REALTIME_APPEND_AUDIO = request(
    "thread/realtime/appendAudio",
    realtime.ThreadRealtimeAppendAudioParams,
    realtime.ThreadRealtimeAppendAudioResponse,
    by="thread_id",
    experimental=True,
)
THREAD_REALTIME_APPEND_TEXT = request(
    "thread/realtime/appendText",
    realtime.ThreadRealtimeAppendTextParams,
    realtime.ThreadRealtimeAppendTextResponse,
    by="thread_id",
    experimental=True,
)
THREAD_REALTIME_STOP = request(
    "thread/realtime/stop",
    realtime.ThreadRealtimeStopParams,
    realtime.ThreadRealtimeStopResponse,
    by="thread_id",
    experimental=True,
)
THREAD_REALTIME_LIST_VOICES = request(
    "thread/realtime/listVoices",
    realtime.ThreadRealtimeListVoicesParams,
    realtime.ThreadRealtimeListVoicesResponse,
    experimental=True,
)

# ---- requests: turns

TURN_START = request("turn/start", turn.TurnStartParams, turn.TurnStartResponse, by="thread_id")
TURN_STEER = request("turn/steer", turn.TurnSteerParams, turn.TurnSteerResponse, by="thread_id")
TURN_INTERRUPT = request(
    "turn/interrupt", turn.TurnInterruptParams, turn.TurnInterruptResponse, by="thread_id"
)
REVIEW_START = request("review/start", review.ReviewStartParams, review.ReviewStartResponse)
