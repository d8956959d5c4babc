"""What users tell those who run the server."""

from protocol.wire import Wire


class FeedbackUploadParams(Wire):
    """`extra_log_files` are paths on this host; they count only with `include_logs`."""

    classification: str
    include_logs: bool
    reason: str | None = None
    thread_id: str | None = None
    extra_log_files: list[str] | None = None
    tags: dict[str, str] | None = None


class FeedbackUploadResponse(Wire):
    thread_id: str
