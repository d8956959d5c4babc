"""What a thread costs that has been worked in for long: its file is of 200 MB.

bench/run resume [--server CMD] [--reference PATH] [--rounds N]
Peaks are of the resident memory, above what the process had before; the reference has one process.
"""

import json
import time
from pathlib import Path
from typing import Any

import psutil

from bench.client import Figures, Home, Server, alternate, arguments, provider

ID = "01999999-0000-7000-8000-000000000001"
STAMP = "2026-01-02T03:04:05.678Z"
TURNS = 500
OUTPUTS = 4  # in each turn
OUTPUT = "x" * 100_000


def line(type: str, payload: dict[str, Any]) -> str:
    return json.dumps({"timestamp": STAMP, "type": type, "payload": payload}) + "\n"


def write(path: Path) -> None:
    """Turns with large outputs; a compaction after each hundred, as a model's window asks for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]}
    call = {"type": "function_call", "name": "x", "arguments": "{}", "call_id": "c"}
    output = {"type": "function_call_output", "call_id": "c", "output": OUTPUT}
    meta = {"id": ID, "timestamp": STAMP, "cwd": "/", "originator": "bench", "cli_version": "0",
            "source": "vscode", "model_provider": "mock"}  # fmt: skip
    with path.open("w") as file:
        file.write(line("session_meta", meta))
        for number in range(TURNS):
            begin = {"type": "task_started", "turn_id": str(number), "started_at": 1,
                     "model_context_window": 1, "collaboration_mode_kind": "default"}  # fmt: skip
            user = {"type": "user_message", "message": "go", "images": [], "local_images": [],
                    "text_elements": []}  # fmt: skip
            file.write(line("event_msg", begin) + line("response_item", said))
            file.write(line("event_msg", user))
            for _ in range(OUTPUTS):
                file.write(line("response_item", call) + line("response_item", output))
            if number % 100 == 99:
                history = {"message": "sum", "replacement_history": [said]}
                file.write(line("compacted", history))
            file.write(line("event_msg", {"type": "agent_message", "message": "done"}))
            file.write(line("event_msg", {"type": "task_complete", "turn_id": str(number),
                                          "last_agent_message": "done"}))  # fmt: skip


def measure(home: Home) -> Figures:
    place = Path(home.path, "home", "sessions", "2026", "01", "02")
    write(place / f"rollout-2026-01-02T03-04-05-{ID}.jsonl")
    with home.server() as server:
        server.client.turn(server.client.start_thread(home.cwd))
        time.sleep(2)
        before = peaks(server)
        figures: Figures = {}
        for method, params in (
            ("thread/read", {"threadId": ID, "includeTurns": True}),
            ("thread/resume", {"threadId": ID}),
        ):
            started = time.perf_counter()
            answer = server.client.answer(server.client.send(method, params))
            figures[f"{method}, s"] = time.perf_counter() - started
            turns = len(answer["thread"]["turns"])
            assert turns == TURNS, f"{method} tells {turns} turns"
        after = peaks(server)
        first = server.process.pid
        figures["peak of the first process, more MiB"] = after[first] - before[first]
        figures["peak of any other, more MiB"] = max(
            (after[pid] - before.get(pid, 0) for pid in after if pid != first), default=0
        )
    return figures


def peaks(server: Server) -> dict[int, float]:
    """The most resident memory that each process has had, in MiB."""
    found: dict[int, float] = {}
    top = psutil.Process(server.process.pid)
    for process in (top, *top.children(recursive=True)):
        status = Path(f"/proc/{process.pid}/status").read_text()
        (kib,) = (part.split()[1] for part in status.splitlines() if part.startswith("VmHWM"))
        found[process.pid] = int(kib) / 1024
    return found


if __name__ == "__main__":
    with provider("--deltas", "3") as url:
        alternate(arguments(), url, measure, "resume")
