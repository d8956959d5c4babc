"""How long it takes to find files among 100,000 of them, and what that costs everybody else.

bench/run search [--reference PATH] [--server CMD] [--rounds N] [--files N]
"""

import argparse
import re
import threading
import time
from pathlib import Path

from bench.client import Figures, Home, Server, Socket, alternate, arguments, median_ms, provider

WORDS = re.findall(
    r"\w+",
    "account action agent api app auth cache client command common config context core data "
    "event file filter form handler index item list loader main manager message model module "
    "node option page parser path plugin process query reader render request response result "
    "route schema server service session socket state store stream string table task test thread "
    "token tool tree type user util value view widget window worker",
)
ENDINGS = ("py", "ts", "tsx", "rs", "go", "md", "json", "html")
IN_FOLDER = 20
TYPED = "model", "sestok", "usrvw", "thread rs"

UPDATED, COMPLETED = "fuzzyFileSearch/sessionUpdated", "fuzzyFileSearch/sessionCompleted"


def plant(home: Home, files: int) -> None:
    """A tree in which names are common words, three folders deep, within a git repository."""
    root = Path(home.cwd)
    if (root / ".git").exists():
        return
    (root / ".git").mkdir()
    (root / ".gitignore").write_text("*.log\n*.pyc\nnode_modules/\n/build\n!keep.log\n")
    for n in range(files // IN_FOLDER):
        a, b, c = n % 64, n // 64 % 64, n // 4096
        folder = root / WORDS[a] / f"{WORDS[b]}-{WORDS[(a + b) % 64]}" / f"{WORDS[c]}{n}"
        folder.mkdir(parents=True)
        for m in range(IN_FOLDER):
            name = f"{WORDS[(n + m) % 64]}_{WORDS[(n * 7 + m * 3) % 64]}.{ENDINGS[m % 8]}"
            (folder / name).write_bytes(b"")


def measure(home: Home, files: int) -> Figures:
    plant(home, files)
    with home.server(websocket=True) as server:
        time.sleep(1)
        return {**once(home, server), **session(home, server), **others(home, server)}


def once(home: Home, server: Server) -> Figures:
    seconds: list[float] = []
    for query in TYPED:
        started = time.perf_counter()
        server.client.call("fuzzyFileSearch", {"query": query, "roots": [home.cwd]})
        seconds.append(time.perf_counter() - started)
    return {"fuzzyFileSearch, each walks, ms": median_ms(seconds)}


def session(home: Home, server: Server) -> Figures:
    """The first letter is typed at once, the others when the one before is answered."""
    started = time.perf_counter()
    server.client.call("fuzzyFileSearch/sessionStart", {"sessionId": "s", "roots": [home.cwd]})
    hunt(server, TYPED[0][:1])
    first = time.perf_counter() - started
    firsts: list[float] = []
    nexts: list[float] = []
    for query in TYPED:
        firsts.append(hunt(server, query[:1]))
        nexts += [hunt(server, query[:n]) for n in range(2, len(query) + 1)]
    server.client.call("fuzzyFileSearch/sessionStop", {"sessionId": "s"})
    return {
        "sessionStart -> first letter answered in full, ms": first * 1000,
        "another first letter, ms": median_ms(firsts),
        "next keystroke p50, ms": median_ms(nexts),
        "next keystroke, the slowest, ms": max(nexts) * 1000,
    }


def hunt(server: Server, query: str) -> float:
    """Seconds until a query is told to be answered in full; the reference may say so first."""
    started = time.perf_counter()
    client, wanted = server.client, {UPDATED, COMPLETED}
    client.send("fuzzyFileSearch/sessionUpdate", {"sessionId": "s", "query": query})
    while wanted:
        message = client.next()
        if message.get("method") == COMPLETED or message.get("params", {}).get("query") == query:
            wanted.discard(message["method"])
    return time.perf_counter() - started


def others(home: Home, server: Server) -> Figures:
    """Another client's answers while a search goes on."""
    other = Socket(server.port)
    other.hello()
    waits: list[float] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            started = time.perf_counter()
            other.call("thread/loaded/list", {})
            waits.append(time.perf_counter() - started)
            time.sleep(0.002)

    asking = threading.Thread(target=ask)
    asking.start()
    for query in TYPED:
        server.client.call("fuzzyFileSearch", {"query": query, "roots": [home.cwd]})
    ended.set()
    asking.join()
    waits.sort()
    return {"another client's answer meanwhile p99, ms": waits[int(len(waits) * 0.99)] * 1000}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=100_000)
    options = arguments(parser)
    with provider() as url:
        alternate(options, url, lambda home: measure(home, options.files), "search")
