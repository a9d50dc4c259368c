"""kill -9 at moments that nobody chose: writers of the cache, runs, workers, predictions."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from table import Row, Size
from toys import COMMAND, call, environment, found_by, make_config, make_sounds, table


def rows(size: Size, scratch: Path) -> Iterator[Row]:
    yield _two_writers(scratch / "cache", size.pick(5, 25))
    config = make_config(scratch, repeats=10)
    env = environment(scratch / "own")
    whole = scratch / "whole"
    started = time.monotonic()
    done = call("run", config, "--out", whole, "--jobs", "2", "--isolate", env=env)
    _expect(done.returncode == 0, "a run that is left alone")
    seconds = time.monotonic() - started
    yield _runs(config, scratch, env, whole, size.pick(3, 25), seconds)
    yield _workers(config, scratch, env, whole, size.pick(1, 5))
    yield _predictions(config, scratch, env, size.pick(2, 10))


def _expect(true: bool, what: str) -> None:
    if not true:
        raise RuntimeError(f"failed: {what}")


def _two_writers(folder: Path, rounds: int) -> Row:
    from audioclf.features.cache import FeatureCache
    from audioclf.features.cache_entry import Entry

    rng = random.Random(1)
    entries = {
        f"{number:064x}": Entry(
            np.random.default_rng(number).normal(size=(64, 400)).astype(np.float32), {}
        )
        for number in range(4)
    }
    damaged = half_written = 0
    for _ in range(rounds):
        writers = [_writer(folder, entries) for _ in range(2)]
        time.sleep(rng.uniform(0.005, 0.06))
        for writer in writers:
            os.kill(writer, signal.SIGKILL)
            os.waitpid(writer, 0)
        cache = FeatureCache(folder)
        for key, entry in entries.items():
            found = cache.get(key)
            if found is not None and found.features.tobytes() != entry.features.tobytes():
                damaged += 1
        damaged += cache.damaged
        half_written = sum(1 for _ in folder.rglob("*.tmp"))
    return Row(
        "kill -9 of two writers on one cache",
        f"{rounds} times, {half_written} writes hit in the middle, {damaged} damaged entries",
        "0 damaged",
        damaged == 0,
    )


def _writer(folder: Path, entries: dict) -> int:
    from audioclf.features.cache import FeatureCache

    child = os.fork()
    if child:
        return child
    try:
        cache = FeatureCache(folder)
        while True:
            for key, entry in entries.items():
                cache.put(key, entry)
            cache.flush()
    finally:
        os._exit(1)


def _runs(
    config: Path, scratch: Path, env: dict[str, str], whole: Path, kills: int, seconds: float
) -> Row:
    """Kill runs until so many kills are done; each finished run must be the one left alone."""
    rng = random.Random(2)
    done = finished = wrong = resumed = 0
    while done < kills:
        out = scratch / f"run-{finished}"
        args = [*COMMAND, "run", str(config), "--jobs", "2", "--isolate", "--out", str(out)]
        while done < kills and not (out / "record.json").exists():
            process = subprocess.Popen(args, env=env, **_silent())
            time.sleep(rng.uniform(0.0, seconds))
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                done += 1
            process.wait()
        if not (out / "record.json").exists():
            _expect(subprocess.run(args, env=env, **_silent()).returncode == 0, "the last run")
        finished += 1
        wrong += found_by(out) != found_by(whole)
        resumed += json.loads((out / "record.json").read_text())["fits"]["resumed"]
    return Row(
        "kill -9 of a run, then the same command",
        f"{done} kills, {finished} runs finished, {resumed} fits taken over, {wrong} with other "
        "results than a run left alone",
        "0 others",
        wrong == 0,
    )


def _workers(config: Path, scratch: Path, env: dict[str, str], whole: Path, kills: int) -> Row:
    rng = random.Random(3)
    done = wrong = 0
    for number in range(20 * kills):
        out = scratch / f"workers-{number}"
        cache = environment(scratch / f"cache-{number}")
        args = [*COMMAND, "run", str(config), "--jobs", "2", "--isolate", "--out", str(out)]
        process = subprocess.Popen(args, env=cache, **_silent())
        workers = _children(process)
        if workers:
            time.sleep(rng.uniform(0.0, 1.0))
            try:
                os.kill(rng.choice(workers), signal.SIGKILL)
                done += 1
            except ProcessLookupError:
                pass
        wrong += process.wait() != 0 or found_by(out) != found_by(whole)
        if done == kills:
            break
    return Row(
        "kill -9 of a worker process",
        f"{done} kills, {wrong} runs failed or with other results",
        "0 others",
        wrong == 0 and done == kills,
    )


def _children(process: subprocess.Popen) -> list[int]:
    give_up = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < give_up:
        found = []
        for task in Path(f"/proc/{process.pid}/task").glob("*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except OSError:
                continue
        if found:
            return found
        time.sleep(0.02)
    return []


def _predictions(config: Path, scratch: Path, env: dict[str, str], kills: int) -> Row:
    trained = scratch / "trained"
    args = ("--set", "final=logreg", "--set", "split.repeats=1", "--out", trained)
    _expect(call("run", config, *args, env=env).returncode == 0, "a run with a model")
    many = make_sounds(scratch / "many", 1200)
    model, out = trained / "model.audioclf", scratch / "found.csv"
    _expect(
        call("predict", model, many, "--out", scratch / "all.csv", env=env).returncode == 0,
        "a prediction that is left alone",
    )
    rng, done = random.Random(4), 0
    args_of = [*COMMAND, "predict", str(model), str(many), "--out", str(out), "--jobs", "1"]
    for _ in range(4 * kills):
        how = ["--resume"] if out.exists() and Path(f"{out}.ledger.csv").exists() else ["--force"]
        process = subprocess.Popen([*args_of, *how], env=env, **_silent())
        _wait_for(out, process)
        time.sleep(rng.uniform(0.0, 1.0))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            done += 1
        process.wait()
        if done == kills:
            break
    subprocess.run([*args_of, "--resume"], env=env, check=True, **_silent())
    wanted, found = ([row["path"] for row in table(path)] for path in (scratch / "all.csv", out))
    same = out.read_bytes() == (scratch / "all.csv").read_bytes()
    lost, repeated = len(set(wanted) - set(found)), len(found) - len(set(found))
    return Row(
        "kill -9 of `predict`, then `--resume`",
        f"{done} kills over {len(wanted)} files, {lost} rows lost, {repeated} repeated, "
        f"{'the same bytes' if same else 'other bytes'} as one left alone",
        "the same bytes",
        same,
    )


def _silent() -> dict:
    return {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def _wait_for(path: Path, process: subprocess.Popen) -> None:
    give_up = time.monotonic() + 60
    while not path.exists() and process.poll() is None and time.monotonic() < give_up:
        time.sleep(0.02)
