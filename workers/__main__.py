"""The entry of every child: `python -I -m workers nursery FD`.

The supervisor starts one nursery process, which forks all workers; `atrio sandbox` becomes
`python -I -m workers sandbox POLICY CMD...`.
"""

import sys


def main() -> int:
    """Exit status 2 when not started by a supervisor."""
    match sys.argv[1:]:
        case ["nursery", descriptor] if descriptor.isdecimal():
            from workers.nursery import serve  # noqa: PLC0415 - the only thing this process needs

            return serve(int(descriptor))
        case ["sandbox", policy, _, *_]:
            from workers.confined import run  # noqa: PLC0415

            return run(policy, sys.argv[3:])
        case _:
            sys.stderr.write("workers are started by atrio, not by hand; try: atrio --help\n")
            return 2


if __name__ == "__main__":
    sys.exit(main())
