"""Print what `audioclf serve` takes, beside a server of FastAPI, librosa and scikit-learn.

    python benchmarks/serving.py [--rounds N] [--requests N] [--many N]

Both hold the model of configs/quickstart.yaml and get noise of 3 s at 22.05 kHz over the loopback
address. FastAPI joins in where it is installed, by benchmarks/serving-requirements.txt. Times are
those of the clock; the CPU time of server, workers and client is in a note.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from measure import HEADER, ONE_THREAD, Cost, Row, measured, print_row

from predict import COMMON, trained, write_noise

os.environ.update(ONE_THREAD)

PEER = (
    COMMON.replace("sys.argv[1]", '__import__("os").environ["MODEL"]')
    + """
import io
from fastapi import FastAPI, Request
app = FastAPI()

@app.get("/health")
def health():
    return {}

@app.post("/predict")
async def predict(request: Request):
    body = await request.body()
    row = features(*librosa.load(io.BytesIO(body), sr=22050, duration=3.0))[None]
    return {"scores": estimator.predict_proba(row)[0].tolist()}
"""
)


@contextmanager
def served(command: list[str], **variables: str) -> Iterator[tuple[int, int]]:
    """Run a server, and yield its process and port once it is healthy."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, **variables}
    with subprocess.Popen([*command, "--port", str(port)], env=environment) as process:
        try:
            for _ in range(600):
                with suppress(OSError), Client(port) as client:
                    if client.ask(b"GET /health", b"") == 200:
                        break
                time.sleep(0.1)
            yield process.pid, port
        finally:
            process.terminate()


class Client:
    """A connection that stays open. It takes 0.1 ms of CPU for a request, http.client 0.4 ms."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.socket.close()

    def ask(self, what: bytes, body: bytes) -> int:
        """Return the status of an answer, after all of it has come."""
        head = b"%b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n"
        self.socket.sendall(head % (what, len(body)) + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.socket.recv(1 << 16)
        headers, _, content = answer.partition(b"\r\n\r\n")
        length = int(headers.lower().partition(b"content-length:")[2].split()[0])
        missing = length - len(content)
        while missing:
            missing -= len(self.socket.recv(missing))
        return int(headers.split()[1])


def processes(pid: int) -> list[int]:
    """Return a process and all that it started, in this order."""
    found = [pid]
    for current in found:
        for task in Path(f"/proc/{current}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def memory(pid: int) -> float:
    """Return the resident memory in MiB of a process and all that it started."""
    texts = [Path(f"/proc/{each}/status").read_text() for each in processes(pid)]
    return sum(float(text.partition("VmRSS:")[2].split()[0]) for text in texts) / 1024


def cpu_ms(pid: int) -> list[float]:
    """Return the CPU time in ms of a process, and of all that it started together."""
    times = [
        sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e6
        for tasks in (Path(f"/proc/{each}/task") for each in processes(pid))
    ]
    return [times[0], sum(times[1:])]


PREDICT = b"POST /predict"


@dataclass
class Asking:
    """Requests by clients at the same time; `shares` is the CPU time in ms of each request."""

    pid: int
    port: int
    body: bytes
    count: int
    clients: int
    what: bytes = PREDICT
    shares: list[float] = field(default_factory=list)

    def __call__(self) -> Cost:
        start, used, own = time.perf_counter(), cpu_ms(self.pid), time.process_time()
        with ThreadPoolExecutor(self.clients) as pool:
            answers = list(pool.map(self._some, [self.count // self.clients] * self.clients))
        seconds = time.perf_counter() - start
        assert {status for each in answers for status in each} == {200}, answers
        after = cpu_ms(self.pid)
        every = [b - a for a, b in zip(used, after, strict=True)]
        every.append(1000 * (time.process_time() - own))
        self.shares = [each / self.count for each in every]
        return Cost(seconds, memory(self.pid))

    def _some(self, count: int) -> list[int]:
        with Client(self.port) as client:
            return [client.ask(self.what, self.body) for _ in range(count)]

    def bound(self) -> str:
        """Return the CPU time of a request, and the ratio that it allows on two cores."""
        server, worker, client = self.shares
        # One worker is busy all the time, or the other core is; two workers share both cores.
        ratio = 2 * max(worker, server + client) / (server + worker + client)
        return (
            f"CPU of a request: server {server:.2f} ms, worker {worker:.2f} ms, client "
            f"{client:.2f} ms, so on two cores at most {ratio:.2f}"
        )


def p50(call: Callable[[], object], count: int = 50) -> Cost:
    times = []
    for _ in range(count):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return Cost(statistics.median(times))


def two_workers(name: str, one: Asking, two: Asking) -> Row:
    return Row(name, two, one, "1 worker", goal=1.7, clips=two.count, note=two.bound)


def all_rows(scratch: Path, count: int, many: int) -> Iterator[Row]:
    import audioclf

    model, pickled = trained(scratch)
    clip = write_noise(scratch / "clip.wav", 3.0)
    body, loaded = clip.read_bytes(), audioclf.load(model)
    minute = write_noise(scratch / "minute.wav", 60.0).read_bytes()
    ours = [sys.executable, "-m", "audioclf", "serve", str(model), "--quiet"]
    one, two = (served([*ours, "--workers", str(n)]) for n in (1, 2))
    with one as (pid, port), two as (pid2, port2):
        with Client(port) as client:
            yield Row(
                "p50 of a request of 3 s, warm (goal: 1.5 times the call)",
                lambda: p50(lambda: client.ask(PREDICT, body)),
                lambda: p50(lambda: loaded.predict(clip)),
                "Model.predict in process",
                goal=1 / 1.5,
            )
        yield two_workers(
            f"{count} requests of 3 s by 4 clients, 2 workers",
            Asking(pid, port, body, count, 4),
            Asking(pid2, port2, body, count, 4),
        )
        windows = b"POST /predict?window=3"
        yield two_workers(
            f"{count // 4} requests of 60 s in windows by 4 clients, 2 workers",
            Asking(pid, port, minute, count // 4, 4, windows),
            Asking(pid2, port2, minute, count // 4, 4, windows),
        )
        if importlib.util.find_spec("fastapi") is not None:
            (scratch / "peer.py").write_text(PEER)
            peer = [sys.executable, "-m", "uvicorn", "peer:app", "--log-level", "error"]
            place = {"MODEL": str(pickled), "PYTHONPATH": f"{scratch}{os.pathsep}{PATH}"}
            with served(peer, **place) as (other, other_port):
                yield Row(
                    f"{count} requests by 1 client, 1 worker",
                    Asking(pid, port, body, count, 1),
                    Asking(other, other_port, body, count, 1),
                    "FastAPI, librosa, scikit-learn",
                    clips=count,
                )
        before = memory(pid)
        yield Row(
            f"{many:,} requests more",
            Asking(pid, port, body, many, 2),
            Asking(pid, port, body, count, 2),
            f"{count} requests",
            rounds=0,
            note=lambda: f"memory grew by {memory(pid) - before:.1f} MiB",
        )


PATH = os.environ.get("PYTHONPATH", "")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="pairs per row (default: 5)")
    parser.add_argument("--requests", type=int, default=100, help="of a row (default: 100)")
    parser.add_argument("--many", type=int, default=10_000, help="of the last row (10000)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        print_row(HEADER)
        print_row(["---"] * len(HEADER))
        for row in all_rows(Path(scratch), arguments.requests, arguments.many):
            print_row(measured(row, arguments.rounds))


if __name__ == "__main__":
    main()
