"""What can go wrong with a request, in the codes and words that Codex clients know.

Nearly everything is `INVALID_REQUEST`: the reference server answers so even for bad params and
unknown methods (observed, release 0.130.0).
"""

import re
import uuid
from typing import Any

import msgspec

INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
OVERLOADED = -32001

MAX_INPUT_CHARS = 1 << 20  # of one turn's text; the reference server's bound

# msgspec raises these, and only these, for bytes from a stranger: wrong shape, wrong syntax,
# invalid UTF-8 inside a string, and nesting beyond the interpreter's stack.
DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class RpcError(Exception):
    """An error answer.  Raised by handlers, caught by the router and by a worker's link."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


def invalid(message: str, data: Any = None) -> RpcError:
    """An error that the client can mend."""
    return RpcError(INVALID_REQUEST, message, data)


def not_loaded(thread_id: str) -> RpcError:
    return invalid(f"thread not loaded: {thread_id}")


def overloaded() -> RpcError:
    return RpcError(OVERLOADED, "Server overloaded; retry later.")


def check_input_size(chars: int) -> None:
    """Raises RpcError when that much text is too much for one turn."""
    if chars > MAX_INPUT_CHARS:
        raise RpcError(
            INVALID_PARAMS,
            f"Input exceeds the maximum length of {MAX_INPUT_CHARS} characters.",
            {
                "input_error_code": "input_too_large",
                "max_chars": MAX_INPUT_CHARS,
                "actual_chars": chars,
            },
        )


def unknown_thread(thread_id: str) -> RpcError:
    return invalid(f"thread not found: {thread_id}")


def check_thread_id(thread_id: str) -> None:
    """Raises RpcError when the text cannot be a thread's id."""
    try:
        uuid.UUID(thread_id)
    except ValueError:
        raise invalid(f"invalid thread id: `{thread_id[:64]}` is not a UUID") from None


def no_command(process_id: str) -> RpcError:
    return invalid(f'no active command/exec for process id "{process_id}"')


def no_process(handle: str) -> RpcError:
    return invalid(f'no active process for process handle "{handle}"')


def no_rollout(thread_id: str) -> RpcError:
    return invalid(f"no rollout found for thread id {thread_id}")


_MISSING = re.compile(r"^Object missing required field (`.+?`)")


def undecodable(error: Exception) -> RpcError:
    """Say what is wrong with a request's params, with the path that msgspec found."""
    if isinstance(error, RecursionError):
        return invalid("Invalid request: nested too deeply")
    if isinstance(error, UnicodeDecodeError):
        return invalid(f"Invalid request: {error}")
    text = str(error)
    if found := _MISSING.match(text):
        text = f"missing field {found[1]}{text[found.end() :]}"
    return invalid(f"Invalid request: {text}")
