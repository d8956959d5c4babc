"""What a server and its threads keep of the machine's memory (PSS of all its processes).

bench/run memory [--reference PATH] [--server CMD] [--rounds N]
"""

import time

from bench.client import Figures, Home, alternate, arguments, provider

THREADS = 20
SETTLE_SECONDS = 3


def measure(home: Home) -> Figures:
    with home.server() as server:
        time.sleep(SETTLE_SECONDS)
        idle = server.pss_mib()
        for _ in range(THREADS):
            server.client.turn(server.client.start_thread(home.cwd))
        time.sleep(SETTLE_SECONDS)
        loaded = server.pss_mib()
    return {
        "idle, MiB": idle,
        "per loaded thread that ran a turn, MiB": (loaded - idle) / THREADS,
    }


if __name__ == "__main__":
    with provider("--deltas", "3") as url:
        alternate(arguments(), url, measure, "memory")
