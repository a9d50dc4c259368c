"""Mutation score of the modules that read untrusted files: `make mutate MUTATE="cache"`.

mutmut changes one thing at a time in a module and runs the tests of that module; a change that no
test notices has survived. Strings with a space, which are messages, are not changed. Mutants are
tried in an order drawn from `--seed`, so those of a run that ends early, or of `--sample`, are a
random sample. Each group runs in a copy of the tree below `.mutation/`, and its result is added to
`benchmarks/mutation.json`, with the seed, the tests, the date and the versions.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO))

from tests.hostile.recorded import record  # noqa: E402

WORK = REPO / ".mutation"
RESULT = REPO / "benchmarks" / "mutation.json"
PYTEST_ARGS = ("-p", "no:randomly", "-p", "no:cacheprovider", "-m", "not slow")
CAUGHT = ("killed", "timeout", "segfault", "caught by type check")


@dataclass(frozen=True)
class Group:
    """Modules, and the tests that must notice changes in them.

    Subprocesses import the unchanged package, so tests that start one notice nothing.
    """

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    """Words in the names of tests that are not run: with hundreds of random files each, they would
    be most of the time that a mutant takes."""


def _without(left_out: tuple[str, ...]) -> list[str]:
    return ["-k", " and ".join(f"not {words}" for words in left_out)] if left_out else []


def _modules(folder: str, names: str) -> tuple[str, ...]:
    return tuple(f"src/audioclf/{folder}/{name}.py" for name in names.split())


RANDOM = ("test_any_", "test_mutated_", "come_back", "comes_back", "read_back_equal")
"""Property tests and fuzzing."""

GROUPS = {
    "cache": Group(
        _modules("features", "cache cache_entry cache_key"),
        ("tests/features/test_cache.py", "tests/features/test_cache_key.py"),
    ),
    "bundle": Group(
        (
            *_modules("models/bundle", "reading manifest writing container self_check"),
            *_modules("models/estimators", "store skops_format"),
            *_modules("models", "refusal calibration/records"),
        ),
        (
            "tests/models/test_checks.py",
            "tests/models/test_damage.py",
            "tests/models/test_compatibility.py",
            "tests/models/test_forged.py",
            "tests/models/test_calibration.py",
            "tests/models/test_training_clips.py",
            "tests/models/test_round_trip.py",
        ),
        left_out=(*RANDOM, "another_process", "cnn", "xgboost", "hist_", "extra_", "_forest"),
    ),
    "structure": Group(
        _modules("models/estimators", "structure trees vectors"),
        (
            "tests/models/test_checks.py",
            "tests/models/test_forged.py",
            "tests/models/test_round_trip.py",
        ),
        left_out=("another_process", "cnn", "xgboost"),
    ),
    "arrays": Group(
        _modules("models", "arrays"),
        (
            "tests/models/test_checks.py",
            "tests/models/test_model.py",
            "tests/models/test_forged.py",
        ),
    ),
    "zip": Group(
        _modules("dataset", "archive zip_names"),
        (
            "tests/dataset/test_archive.py",
            "tests/dataset/test_zip_names.py",
            "tests/dataset/test_remote.py",
            "tests/hostile/test_cases.py",
            "tests/hostile/test_zip_files.py",
        ),
        left_out=(*RANDOM, "import_fsspec", "another_process", "remote_folder"),
    ),
    "sound": Group(
        (
            *_modules("dataset", "signatures"),
            *_modules("audio", "riff pcm reader container decode"),
        ),
        (
            "tests/dataset/test_signatures.py",
            "tests/audio/test_riff.py",
            "tests/audio/test_pcm.py",
            "tests/audio/test_reader.py",
            "tests/audio/test_container.py",
            "tests/audio/test_decode.py",
            "tests/dataset/test_clip_parts.py",
            "tests/hostile/test_audio_files.py",
            "tests/hostile/test_cases.py",
        ),
        left_out=(*RANDOM, "real_recordings", "imports_neither", "features", "what_librosa_loads"),
    ),
    "fit_cache": Group(
        _modules("evaluation", "fit_cache"), ("tests/evaluation/test_fit_cache.py",)
    ),
    "config": Group(
        (*_modules("base", "limits text"), *_modules("config", "yaml_source")),
        (
            "tests/base/test_limits.py",
            "tests/config/test_yaml_source.py",
            "tests/base/test_text.py",
        ),
        left_out=(*RANDOM, "limits_of_its_config", "every_engine"),
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", help="all by default")
    parser.add_argument("--only", nargs="*", default=[], help="names of modules, as `entry`")
    parser.add_argument("--tests", nargs="*", help="only these, for a faster first look")
    parser.add_argument("--minutes", type=float, help="limit for a group")
    parser.add_argument("--sample", type=int, help="mutants of each module; all by default")
    parser.add_argument("--seed", type=int, default=0, help="for the order of the mutants")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        _run_mutmut(given.sample, given.seed)
        return
    for name in given.groups or GROUPS:
        group = GROUPS[name]
        modules = [m for m in group.modules if not given.only or Path(m).stem in given.only]
        tests = tuple(given.tests or group.tests)
        folder = _copied(name, modules, tests, group.left_out)
        command = [sys.executable, str(Path(__file__)), "--inside", "--seed", str(given.seed)]
        command += [] if given.sample is None else ["--sample", str(given.sample)]
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(
                command,
                cwd=folder,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                timeout=None if given.minutes is None else 60 * given.minutes,
                check=False,
            )
        run = {"seed": given.seed, "tests": list(tests), "tests left out": list(group.left_out)}
        for module in modules:
            _record(module, _counted(folder, module), run)


def _copied(
    name: str, modules: list[str], tests: tuple[str, ...], left_out: tuple[str, ...]
) -> Path:
    """Return a copy of the files that the tests need, with the configuration of mutmut."""
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("src", "tests", "docs", "configs"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPO / part, folder / part, ignore=ignored)
    settings = {
        "source_paths": ["src"],
        "only_mutate": modules,
        "pytest_add_cli_args_test_selection": [path for path in tests if (REPO / path).exists()],
        "pytest_add_cli_args": [*PYTEST_ARGS, *_without(left_out)],
        "also_copy": ["docs", "configs"],
        "mutate_only_covered_lines": False,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    text = (REPO / "pyproject.toml").read_text(encoding="utf-8")
    text = text.replace('"--doctest-modules", ', "")
    text = text.replace(
        "[tool.pytest.ini_options]", '[tool.pytest.ini_options]\npythonpath = ["."]'
    )
    whole = "\n".join([text, "[tool.mutmut]", *lines, ""])
    (folder / "pyproject.toml").write_text(whole, encoding="utf-8")
    return folder


def _run_mutmut(sample: int | None, seed: int) -> None:
    """Run mutmut in the current folder, without mutants of messages."""
    from mutmut import __main__ as mutmut
    from mutmut.mutation import mutators

    original = mutators.operator_string

    def of_strings(node: Any) -> Any:
        return () if " " in getattr(node, "value", "") else original(node)

    for place, (kind, operator) in enumerate(mutators.mutation_operators):
        if operator is original:
            mutators.mutation_operators[place] = (kind, of_strings)

    collect = mutmut.collect_source_file_mutation_data

    def place_of(name: str) -> float:
        return random.Random(f"{seed} {name}").random()

    def collect_sample(**given: Any) -> tuple[list[Any], Any]:
        mutants, data = collect(**given)
        by_module: dict[Path, list[Any]] = {}
        for mutant in sorted(mutants, key=lambda mutant: place_of(mutant[1])):
            by_module.setdefault(mutant[0].path, []).append(mutant)
        return [mutant for chosen in by_module.values() for mutant in chosen[:sample]], data

    mutmut.collect_source_file_mutation_data = collect_sample
    mutmut.estimated_worst_case_time = place_of
    mutmut.cli(["run"])


def _counted(folder: Path, module: str) -> dict[str, int]:
    """Return the number of mutants of a module by status."""
    from mutmut.stats import status_by_exit_code

    path = folder / "mutants" / f"{module}.meta"
    if not path.is_file():
        return {}
    codes = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
    return dict(Counter(status_by_exit_code[code] for code in codes.values()))


def _record(module: str, counts: dict[str, int], run: dict[str, Any]) -> None:
    tried = sum(n for status, n in counts.items() if status != "not checked")
    if not tried:
        return
    caught = sum(counts.get(status, 0) for status in CAUGHT)
    result = {
        "python": platform.python_version(),
        "mutmut": metadata.version("mutmut"),
        **run,
        "tried": tried,
        "of": sum(counts.values()),
        "caught": caught,
        "counts": dict(sorted(counts.items())),
    }
    record(RESULT, module, result)
    print(f"{module}: {caught} of {tried} mutants caught, {100 * caught / tried:.1f} %")


if __name__ == "__main__":
    main()
