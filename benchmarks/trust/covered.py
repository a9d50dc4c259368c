"""Branch coverage of the whole suite, overall and of the modules that read what strangers wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from table import Row, Size

REPO = Path(__file__).resolve().parents[2]
PARTS = {
    "input": (
        "dataset/archive.py", "dataset/signatures.py", "dataset/zip_names.py", "audio/container.py",
        "audio/decode.py", "audio/mpeg.py", "audio/mpeg_headers.py", "audio/ogg.py", "audio/pcm.py",
        "audio/reader.py", "audio/riff.py", "base/limits.py", "base/text.py",
        "config/yaml_source.py",
    ),
    "cache": (
        "features/cache.py", "features/cache_entry.py", "features/cache_key.py",
        "components/code_digest.py", "evaluation/fit_cache.py",
    ),
    "bundle": (
        "models/arrays.py", "models/bundle/reading.py", "models/bundle/manifest.py",
        "models/bundle/writing.py", "models/bundle/container.py", "models/bundle/self_check.py",
        "models/estimators/store.py", "models/estimators/skops_format.py",
        "models/estimators/structure.py", "models/estimators/trees.py",
        "models/estimators/vectors.py", "models/calibration/records.py", "models/refusal.py",
    ),
}  # fmt: skip


def rows(size: Size, scratch: Path) -> Iterator[Row]:
    report = scratch / "coverage.json"
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile"]
    command += ["--max-worker-restart", "0", "--cov", f"--cov-report=json:{report}"]
    command += ["-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    how = done.stdout.strip().splitlines()[-1].strip("= ")
    data = json.loads(report.read_text())
    yield _row("branch coverage, overall", [data["totals"]], 95.0, f"; {how}")
    files = {Path(name).as_posix(): found["summary"] for name, found in data["files"].items()}
    for part, names in PARTS.items():
        chosen = [
            summary
            for name, summary in files.items()
            if any(name.endswith(f"src/audioclf/{each}") for each in names)
        ]
        yield _row(f"branch coverage of {part}", chosen, 100.0, f"; {len(chosen)} modules")


def _row(what: str, summaries: list[dict], goal: float, more: str) -> Row:
    """Lines and branches together, as coverage.py counts them."""
    hit = sum(each["covered_lines"] + each["covered_branches"] for each in summaries)
    total = sum(each["num_statements"] + each["num_branches"] for each in summaries)
    percent = 100.0 * hit / total
    return Row(what, f"{percent:.1f} %{more}", f"at least {goal:g} %", percent >= goal)
