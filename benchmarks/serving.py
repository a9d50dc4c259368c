"""Print what `audioclf serve` takes, beside a server of FastAPI, librosa and scikit-learn.

    python benchmarks/serving.py [--rounds N] [--requests N]

Both hold the model of configs/quickstart.yaml and get noise of 3 s at 22.05 kHz over the loopback
address. FastAPI joins in where it is installed, by benchmarks/serving-requirements.txt. Times are
those of the clock.
"""

from __future__ import annotations

import argparse
import http.client
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
                with suppress(OSError):
                    if ask(port, "GET", "/health", b"") == 200:
                        break
                time.sleep(0.1)
            yield process.pid, port
        finally:
            process.terminate()


def ask(port: int, method: str, path: str, body: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def memory(pid: int) -> float:
    """Return the resident memory in MiB of a process and all that it started."""
    total, children = 0.0, [pid]
    while children:
        current = children.pop()
        with suppress(OSError):
            status = Path(f"/proc/{current}/status").read_text()
            total += float(status.partition("VmRSS:")[2].split()[0]) / 1024
            for task in Path(f"/proc/{current}/task").iterdir():
                children += map(int, (task / "children").read_text().split())
    return total


def asking(pid: int, port: int, body: bytes, count: int, clients: int) -> Callable[[], Cost]:
    def call() -> Cost:
        start = time.perf_counter()
        with ThreadPoolExecutor(clients) as pool:
            answers = list(pool.map(lambda _: ask(port, "POST", "/predict", body), range(count)))
        assert set(answers) == {200}, answers
        return Cost(time.perf_counter() - start, memory(pid))

    return call


def p50(call: Callable[[], object], count: int = 50) -> Cost:
    times = []
    for _ in range(count):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return Cost(statistics.median(times))


def all_rows(scratch: Path, count: int) -> Iterator[Row]:
    import audioclf

    model, pickled = trained(scratch)
    clip = write_noise(scratch / "clip.wav", 3.0)
    body, loaded = clip.read_bytes(), audioclf.load(model)
    ours = [sys.executable, "-m", "audioclf", "serve", str(model), "--quiet"]
    one, two = (served([*ours, "--workers", str(n)]) for n in (1, 2))
    with one as (pid, port), two as (pid2, port2):
        yield Row(
            "p50 of a request of 3 s, warm (goal: 1.5 times the call)",
            lambda: p50(lambda: ask(port, "POST", "/predict", body)),
            lambda: p50(lambda: loaded.predict(clip)),
            "Model.predict in process",
            goal=1 / 1.5,
        )
        yield Row(
            f"{count} requests by 4 clients, 2 workers",
            asking(pid2, port2, body, count, 4),
            asking(pid, port, body, count, 4),
            "1 worker",
            goal=1.7,
            clips=count,
        )
        if importlib.util.find_spec("fastapi") is not None:
            (scratch / "peer.py").write_text(PEER)
            peer = [sys.executable, "-m", "uvicorn", "peer:app", "--log-level", "error"]
            place = {"MODEL": str(pickled), "PYTHONPATH": f"{scratch}{os.pathsep}{PATH}"}
            with served(peer, **place) as (other, other_port):
                yield Row(
                    f"{count} requests by 1 client, 1 worker",
                    asking(pid, port, body, count, 1),
                    asking(other, other_port, body, count, 1),
                    "FastAPI, librosa, scikit-learn",
                    clips=count,
                )
        growth: list[float] = []

        def many() -> Cost:
            before = memory(pid)
            cost = asking(pid, port, body, 20 * count, 2)()
            growth.append(cost.memory - before)
            return cost

        yield Row(
            f"{20 * count} requests more",
            many,
            asking(pid, port, body, count, 2),
            f"{count} requests",
            rounds=0,
            note=lambda: f"memory grew by {growth[-1]:.1f} MiB",
        )


PATH = os.environ.get("PYTHONPATH", "")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="pairs per row (default: 5)")
    parser.add_argument("--requests", type=int, default=100, help="of a row (default: 100)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        print_row(HEADER)
        print_row(["---"] * len(HEADER))
        for row in all_rows(Path(scratch), arguments.requests):
            print_row(measured(row, arguments.rounds))


if __name__ == "__main__":
    main()
