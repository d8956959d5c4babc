"""feedback/upload: to where the operator says, and never anywhere else."""

import platform
from pathlib import Path
from typing import Any

import trio

from protocol.errors import INTERNAL_ERROR, RpcError, check_thread_id, invalid
from protocol.feedback import FeedbackUploadParams, FeedbackUploadResponse
from protocol.ids import new_id
from protocol.methods import FEEDBACK_UPLOAD
from protocol.overrides import RELATIVE
from supervisor.connection import Connection
from supervisor.handlers import serves
from supervisor.host import Host

SECONDS = 60.0
LOG_BYTES = 16 << 20  # of one file, from its end
NOWHERE = (
    "feedback has nowhere to go: set `atrio.feedback_url` in config.toml to an address "
    "that takes it as JSON by POST; nothing was sent"
)


@serves(FEEDBACK_UPLOAD)
async def feedback_upload(
    host: Host, _client: Connection, params: FeedbackUploadParams
) -> FeedbackUploadResponse:
    """Ours: the reference server sends it to its maker."""
    url = host.config.feedback_url()
    if not host.config.takes_feedback():
        raise invalid("sending feedback is disabled by configuration")
    if params.thread_id is not None:
        check_thread_id(params.thread_id)
    if any(not path.startswith("/") for path in params.extra_log_files or ()):
        raise invalid(RELATIVE)
    if url is None:
        raise invalid(NOWHERE)
    id = params.thread_id or f"no-active-thread-{new_id()}"
    files = await _files(host, params) if params.include_logs else []
    told = {
        "threadId": id,
        "classification": params.classification,
        "reason": params.reason,
        "tags": params.tags or {},
        "version": host.version,
        "platform": platform.platform(),
    }
    await _send(url, {**told, "logs": await trio.to_thread.run_sync(_read, files)})
    return FeedbackUploadResponse(id)


async def _files(host: Host, params: FeedbackUploadParams) -> list[str]:
    """The thread's own file, and those that the client names."""
    stored = await host.store.path(params.thread_id) if params.thread_id else None
    return [*([stored] if stored else []), *(params.extra_log_files or [])]


def _read(files: list[str]) -> dict[str, str]:
    """Their ends, by path.  Raises RpcError for one that cannot be read."""
    found: dict[str, str] = {}
    for file in files:
        try:
            with Path(file).open("rb") as log:
                log.seek(max(Path(file).stat().st_size - LOG_BYTES, 0))
                found[file] = log.read(LOG_BYTES).decode("utf-8", "replace")
        except OSError as error:
            problem = f"the log file {file} cannot be read: {error.strerror}; nothing was sent"
            raise invalid(problem) from None
    return found


async def _send(url: str, told: dict[str, Any]) -> None:
    import httpx2  # noqa: PLC0415 - 60 ms, for what is seldom asked

    try:
        async with httpx2.AsyncClient(timeout=SECONDS) as client:
            answer = await client.post(url, json=told)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise RpcError(INTERNAL_ERROR, f"failed to upload feedback to {url}: {error!r}") from None
    if answer.status_code >= 300:
        problem = f"{answer.status_code} {answer.reason_phrase}"
        raise RpcError(INTERNAL_ERROR, f"failed to upload feedback to {url}: {problem}")
