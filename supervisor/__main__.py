"""The console script: read the command line, then be the server, the proxy or the generator.

What a command does not need is not imported: a version costs no Trio, and a server on stdio no
WebSocket library.
"""

import gc
import sys

from supervisor.options import VERSION, Command, Generate, Proxy, Refused, Sandbox, Version, parse


def main() -> int:
    """Return the exit status; `options.parse` says when it is 1 or 2."""
    try:
        return _run(parse(sys.argv[1:]))
    except* Refused as refused:
        print(f"atrio: {_first(refused)}", file=sys.stderr)  # noqa: T201
    return 1


def _first(group: BaseExceptionGroup[Refused]) -> Refused:
    """The text that matters, however many nurseries it has come through."""
    first = group.exceptions[0]
    return first if isinstance(first, Refused) else _first(first)


def _run(command: Command) -> int:
    match command:
        case Version(verbose):
            print(f"atrio {VERSION}", flush=True)  # noqa: T201
            if not verbose:
                return 0
            from supervisor.sandbox import tell_host  # noqa: PLC0415

            return tell_host(command)
        case Proxy(socket):
            from supervisor.proxy import run  # noqa: PLC0415

            return run(socket)
        case Generate(what, out, experimental):
            from supervisor.generate import write  # noqa: PLC0415

            return write(what, out, experimental=experimental)
        case Sandbox():
            from supervisor.sandbox import run  # noqa: PLC0415

            return run(command)
        case _:
            gc.disable()  # what is imported stays: looking for garbage in it costs 10 ms
            from supervisor.server import run  # noqa: PLC0415

            gc.freeze()
            gc.enable()
            return run(command)


if __name__ == "__main__":
    sys.exit(main())
