"""`fs/*`: what an editor does to files beside its threads; no sandbox stands between.

Paths are absolute; `..` is taken out of them as it is written, before links are followed.
"""

from protocol.wire import Nothing, Wire


class FsReadFileParams(Wire):
    path: str


class FsReadFileResponse(Wire):
    data_base64: str


class FsWriteFileParams(Wire):
    path: str
    data_base64: str


class FsWriteFileResponse(Nothing):
    """It is written."""


class FsCreateDirectoryParams(Wire):
    """Recursive unless `recursive` says no: folders above are made too, and one may be there."""

    path: str
    recursive: bool | None = None


class FsCreateDirectoryResponse(Nothing):
    """It is there."""


class FsGetMetadataParams(Wire):
    path: str


class FsGetMetadataResponse(Wire):
    """Of what a link leads to; `is_symlink` alone is about the path itself."""

    is_directory: bool
    is_file: bool
    is_symlink: bool
    created_at_ms: int
    modified_at_ms: int


class FsReadDirectoryParams(Wire):
    path: str


class FsReadDirectoryEntry(Wire):
    file_name: str
    is_directory: bool
    is_file: bool


class FsReadDirectoryResponse(Wire):
    """In no order."""

    entries: list[FsReadDirectoryEntry]


class FsRemoveParams(Wire):
    """Both are on unless they say no; with `force` what is not there counts as removed."""

    path: str
    recursive: bool | None = None
    force: bool | None = None


class FsRemoveResponse(Nothing):
    """It is not there."""


class FsCopyParams(Wire):
    source_path: str
    destination_path: str
    recursive: bool = False


class FsCopyResponse(Nothing):
    """It is copied."""


class FsWatchParams(Wire):
    """The id is the client's to choose, and belongs to the connection."""

    path: str
    watch_id: str


class FsWatchResponse(Wire):
    path: str


class FsUnwatchParams(Wire):
    watch_id: str


class FsUnwatchResponse(Nothing):
    """Nothing will be told under that id, until it is used again."""


class FsChangedNotification(Wire):
    watch_id: str
    changed_paths: list[str]
