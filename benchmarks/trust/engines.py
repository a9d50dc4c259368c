"""The same numbers wherever the work is done, and whatever the environment says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from table import Row, Size
from toys import call, environment, found_by, make_config

FULL = ("--set", "audit=true", "--set", "final=best", "--set", "report.html=true", "--no-cache")


def rows(size: Size, scratch: Path) -> Iterator[Row]:
    config = make_config(scratch, repeats=2)
    yield _engines(config, scratch)
    yield _environments(config, scratch)
    yield _replays(config, scratch)


def _run(config: Path, out: Path, *args: str, **variables: str) -> Path:
    env = environment(out.with_suffix(".cache"), **variables)
    done = call("run", config, "--out", out, *FULL, *args, env=env)
    if done.returncode:
        raise RuntimeError(f"{out.name}: exit {done.returncode}: {done.stderr}")
    return out


def _all_of(folder: Path) -> dict[str, Any]:
    """Return what must be equal: features, folds, predictions, metrics, model and pictures."""
    found = found_by(folder)
    for path in sorted(folder.rglob("*.png")):
        found[path.name] = path.read_bytes()
    for name in ("audit.json", "comparison.json", "importances.json", "model.audioclf"):
        found[name] = (folder / name).read_bytes()
    return found


def _page_of(folder: Path, first: Path) -> str:
    """Return the page of a run that is given the seconds and memory of the first."""
    from audioclf.components.discovery import discover
    from audioclf.report.run.page import report_again

    for name in ("metrics.json", "record.json"):
        if folder != first:
            shutil.copy(first / name, folder / name)
    report_again(folder, registry=discover())
    return (folder / "report.html").read_text(encoding="utf-8").replace(str(folder), "")


def _compare(names: list[str], folders: list[Path]) -> tuple[str, bool]:
    first, *others = (_all_of(folder) for folder in folders)
    parts = {key for other in others for key in first if other.get(key) != first[key]}
    if not parts:
        pages = [_page_of(folder, folders[0]) for folder in folders]
        parts = {"page"} if len(set(pages)) > 1 else set()
    if parts:
        return f"{', '.join(names)}: different {', '.join(sorted(parts))}", False
    features = next(iter(first["features"].values()))["sha256"][:12]
    return f"{len(names)} equal ({', '.join(names)}); features {features}", True


def _engines(config: Path, scratch: Path) -> Row:
    from distributed import LocalCluster

    ways = {
        "one thread": ("--jobs", "1"),
        "threads": ("--jobs", "3"),
        "processes": ("--jobs", "2", "--isolate"),
    }
    folders = [_run(config, scratch / f"way-{n}", *args) for n, args in enumerate(ways.values())]
    with LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as cluster:
        args = ("--engine", "dask", "--scheduler", cluster.scheduler_address)
        folders.append(_run(config, scratch / "way-dask", *args))
    measured, holds = _compare([*ways, "dask"], folders)
    return Row("the same numbers and page on every engine", measured, "all equal", holds)


def _environments(config: Path, scratch: Path) -> Row:
    worlds: dict[str, dict[str, str]] = {
        "as it is": {},
        "PYTHONHASHSEED": {"PYTHONHASHSEED": "1"},
        "time zone": {"TZ": "Pacific/Kiritimati"},
        "locale C": {"LC_ALL": "C", "LANG": "C"},
        "Turkish locale": {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"},
        "OMP_NUM_THREADS": {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
    }
    folders = [
        _run(config, scratch / f"world-{n}", **variables)
        for n, variables in enumerate(worlds.values())
    ]
    measured, holds = _compare([*worlds], folders)
    return Row("the same numbers and page in every environment", measured, "all equal", holds)


def _replays(config: Path, scratch: Path) -> Row:
    run = _run(config, scratch / "once")
    done = call("replay", run, "--jobs", "2", env=environment(scratch / "replay-cache"))
    verdict = done.stdout.strip().splitlines()[-2:][0] if done.stdout else done.stderr
    return Row(
        "`audioclf replay` of a run, with other jobs", verdict, "same", verdict.startswith("same")
    )
