"""Threads with an MCP server: until it is ready, and what is left of many of them.

bench/run mcp [--reference PATH] [--server CMD] [--rounds N]

Each cycle starts a thread, waits for its server, and lets the thread go.  Ours unloads it then; the
reference keeps it for half an hour, and its server with it.
"""

import sys
import time
from pathlib import Path

import psutil

from bench.client import Figures, Home, alternate, arguments, median_ms, provider

CYCLES = 200
SETTLE_SECONDS = 5.0  # for the last server to go

# Small, so that what is measured is not the start of a library.
PROGRAM = """\
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    method, result = asked["method"], {}
    if method == "initialize":
        version = asked["params"]["protocolVersion"]
        result = {"protocolVersion": version, "capabilities": {"tools": {}},
                  "serverInfo": {"name": "small", "version": "1"}}
    elif method == "tools/list":
        result = {"tools": [{"name": "nothing", "inputSchema": {"type": "object"}}]}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""


def measure(home: Home) -> Figures:
    program, config = Path(home.path, "small.py"), Path(home.path, "home/config.toml")
    program.write_text(PROGRAM)
    server = f'[mcp_servers.small]\ncommand = "{sys.executable}"\nargs = ["{program}"]\n'
    config.write_text(config.read_text() + server + "[atrio]\nunload_grace_seconds = 0\n")
    with home.server() as running:
        seconds = [cycle(running.client, home.cwd) for _ in range(CYCLES)]
        settle(running.processes, str(program))
        left = [p for p in running.processes() if str(program) in p.cmdline()]
        return {
            "thread/start -> its MCP server ready p50, ms": median_ms(seconds),
            f"MCP servers running after {CYCLES} threads were let go": len(left),
            "all processes, MiB (PSS)": running.pss_mib(),
        }


def cycle(client, cwd):
    started = time.perf_counter()
    thread = client.call("thread/start", {"cwd": cwd})["thread"]["id"]
    while client.hear("mcpServer/startupStatus/updated")["status"] != "ready":
        pass
    seconds = time.perf_counter() - started
    client.call("thread/unsubscribe", {"threadId": thread})
    return seconds


def settle(processes, program):
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        try:
            if not [p for p in processes() if program in p.cmdline()]:
                return
        except psutil.Error:  # one has ended while it was looked at
            pass
        time.sleep(0.1)


if __name__ == "__main__":
    with provider() as url:
        alternate(arguments(), url, measure, "mcp")
