"""Changes of the user's configuration that are not a client's own edits of it.

One at a time, beside the event loop, and never of a file that cannot be read as TOML.
"""

from collections.abc import Callable

import trio

from protocol.errors import INTERNAL_ERROR, RpcError
from supervisor.config import Config


async def rewrite(config: Config, change: Callable[[str], str]) -> None:
    """Replace the text by what `change` makes of it.  Raises RpcError."""
    async with config.writing:
        await trio.to_thread.run_sync(rewrite_now, config, change)


def rewrite_now(config: Config, change: Callable[[str], str]) -> None:
    """Blocks.  Raises RpcError."""
    try:
        text = config.file.read_text("utf-8") if config.file.exists() else ""
        after = change(text)
        if after != text:
            config.source(config.file).write(after)
    except OSError as error:
        problem = f"{config.file} cannot be written: {error.strerror or error}"
        raise RpcError(INTERNAL_ERROR, problem) from None
    except (ValueError, KeyError) as error:
        problem = f"failed to load configuration: {config.file}: {error}"
        raise RpcError(INTERNAL_ERROR, problem) from None
