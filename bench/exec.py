"""What a command of a client's own costs: starting it, its output, and a key on its terminal.

bench/run exec [--reference PATH] [--server CMD] [--rounds N]
"""

import base64
import time

from bench.client import (
    Client,
    Counter,
    Figures,
    Home,
    Server,
    alternate,
    arguments,
    median_ms,
    provider,
)

RUNS = 60
SLEEPS = 32
STREAMED_MB = 200
KEYS = 200
FULL_ACCESS = {"type": "dangerFullAccess"}
READ_ONLY = {"type": "readOnly"}
WORKSPACE_WRITE = {"type": "workspaceWrite"}


def measure(home: Home) -> Figures:
    with home.server() as server:
        run(server.client)  # the first one pays for what is lazy
        figures = {
            "`true` p50, ms": median_ms([run(server.client) for _ in range(RUNS)]),
            "32 sleeps of 0.1 s at once, ms": sleeps(server.client),
            **stream(server),
            "PTY echo round trip p50, ms": median_ms(echo(server.client)),
        }
        figures |= sandboxed(server.client)
        return figures


def run(client: Client, policy: dict[str, str] = FULL_ACCESS) -> float:
    started = time.perf_counter()
    client.call("command/exec", {"command": ["true"], "sandboxPolicy": policy})
    return time.perf_counter() - started


def sandboxed(client: Client) -> Figures:
    """Nothing where the host cannot enforce the policy."""
    try:
        run(client, READ_ONLY)
    except RuntimeError:
        return {}
    return {
        f"`true` {name} p50, ms": median_ms([run(client, policy) for _ in range(RUNS)])
        for name, policy in (("read-only", READ_ONLY), ("workspace-write", WORKSPACE_WRITE))
    }


def sleeps(client: Client) -> float:
    started = time.perf_counter()
    ids = {client.send("command/exec", {"command": ["sleep", "0.1"]}) for _ in range(SLEEPS)}
    while ids:
        ids.discard(client.next().get("id"))
    return (time.perf_counter() - started) * 1000


def stream(server: Server) -> Figures:
    client, counter = server.client, Counter(b'"exitCode"')
    cpu, started = server.cpu_seconds(), time.perf_counter()
    client.send(
        "command/exec",
        {
            "command": ["head", "-c", str(STREAMED_MB * 1_000_000), "/dev/zero"],
            "processId": "stream",
            "streamStdoutStderr": True,
            "disableOutputCap": True,
            "disableTimeout": True,
        },
    )
    while not counter.feed(client.read()):
        pass
    seconds = time.perf_counter() - started
    return {
        "200 MB streamed, s": seconds,
        "200 MB streamed, server CPU, s": server.cpu_seconds() - cpu,
    }


def echo(client: Client) -> list[float]:
    id = client.send(
        "command/exec",
        {
            "command": ["sh", "-c", "stty raw -echo; echo ready; exec cat"],
            "processId": "tty",
            "tty": True,
            "disableTimeout": True,
        },
    )
    client.hear("command/exec/outputDelta")
    key = base64.b64encode(b"x").decode()
    found: list[float] = []
    for _ in range(KEYS):
        started = time.perf_counter()
        client.send("command/exec/write", {"processId": "tty", "deltaBase64": key})
        client.hear("command/exec/outputDelta")
        found.append(time.perf_counter() - started)
    client.call("command/exec/terminate", {"processId": "tty"})
    client.answer(id)
    return found


if __name__ == "__main__":
    with provider() as url:
        alternate(arguments(), url, measure, "exec")
