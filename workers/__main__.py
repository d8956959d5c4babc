"""The entry of every child: `python -I -m workers nursery MINIMUM FD`.

The supervisor starts one nursery process, which forks all workers; `atrio sandbox` becomes
`python -I -m workers sandbox MINIMUM POLICY PROFILE CMD...`, and `atrio --version --verbose`
`python -I -m workers host MINIMUM`.
"""

import sys


def main() -> int:
    """Exit status 2 when not started by a supervisor."""
    match sys.argv[1:]:
        case ["nursery", "full" | "reduced" as minimum, descriptor] if descriptor.isdecimal():
            from workers.nursery import serve  # noqa: PLC0415 - the only thing this process needs

            return serve(int(descriptor), minimum)
        case ["sandbox", "full" | "reduced" as minimum, policy, profile, _, *_]:
            from workers.confined import run  # noqa: PLC0415

            return run(minimum, policy, profile, sys.argv[5:])
        case ["host", "full" | "reduced" as minimum]:
            from workers.confined import tell_host  # noqa: PLC0415

            return tell_host(minimum)
        case _:
            sys.stderr.write("workers are started by atrio, not by hand; try: atrio --help\n")
            return 2


if __name__ == "__main__":
    sys.exit(main())
