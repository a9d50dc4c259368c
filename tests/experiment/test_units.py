"""Runs whose clips belong together, and runs that do not test every class."""

import json
from pathlib import Path

import numpy as np
import pytest

import audioclf
from audioclf.base.errors import ResultError
from audioclf.cli.run import describe_result
from audioclf.experiment.preview import preview
from audioclf.runs.comparing import compare_runs
from audioclf.runs.reading import read_run
from tests.conftest import CONFIG, tone, write_wav

SR = 8000


def parts_config(folder: Path, n_recordings: int, *overrides: str) -> audioclf.RunConfig:
    """Return the config of a run on 24 seconds of few recordings, whose parts are the clips."""
    rows = []
    per_recording = 24 // n_recordings
    for number in range(n_recordings):
        sound = [
            tone(700.0 + 60.0 * (second % 2), 1.0, SR, seed=24 * number + second)
            for second in range(per_recording)
        ]
        write_wav(folder / f"rec{number}.wav", np.concatenate(sound), SR)
        rows += [
            f"rec{number}.wav,{'ab'[second % 2]},{second},{second + 1}"
            for second in range(per_recording)
        ]
    (folder / "table.csv").write_text("\n".join(["path,label,start,end", *rows]) + "\n")
    config = CONFIG.replace("{type: zip, path: sounds.zip}", "{type: manifest, path: table.csv}")
    (folder / "parts.yaml").write_text(config)
    return audioclf.load_config(folder / "parts.yaml", overrides=overrides)


@pytest.mark.slow
def test_intervals_over_parts_are_intervals_over_recordings(tmp_path: Path) -> None:
    result = audioclf.run(parts_config(tmp_path, 4), out=tmp_path / "run", jobs=1)
    assert (result.unit, result.n_units) == ("recording", 4)
    assert "95 % bootstrap interval over 4 recordings" in describe_result(result)
    assert result.comparison is not None
    assert result.comparison.sample == "4 recordings (24 clips)"
    saved = read_run(tmp_path / "run")
    assert saved.metrics["unit"] == {"name": "recording", "count": 4}
    assert saved.targets.unit_codes.tolist() == np.repeat(range(4), 6).tolist()
    again = compare_runs([tmp_path / "run"]).comparison
    assert [pair.p_bootstrap for pair in again.pairs] == [
        pair.p_bootstrap for pair in result.comparison.pairs
    ]


@pytest.mark.slow
def test_one_recording_has_no_intervals_and_says_so(tmp_path: Path) -> None:
    result = audioclf.run(
        parts_config(tmp_path, 1, "audit=true", "report.html=true"), out=tmp_path / "run", jobs=1
    )
    text = describe_result(result)
    assert "[no intervals: only 1 recording is tested]" in text
    assert "nan" not in text
    assert "there is only 1 recording to resample, so there are no intervals" in result.notes
    audits = json.loads((tmp_path / "run" / "audit.json").read_text())["audits"]
    assert not any("nan" in audit["summary"] for audit in audits)
    assert any("Only 1 recording is tested" in audit["summary"] for audit in audits)
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "There are no intervals, since only 1 recording is tested." in page


@pytest.mark.slow
@pytest.mark.parametrize(("n_bare", "have"), [(1, "has"), (2, "have")])
def test_a_clip_without_a_group_changes_no_other_unit(
    n_bare: int, have: str, tmp_path: Path
) -> None:
    config = parts_config(tmp_path, 1)
    rows = ["path,label,group"]
    for at in range(24):
        write_wav(tmp_path / f"{at:02d}.wav", tone(700.0 + 60.0 * (at % 2), 0.3, SR, seed=at), SR)
        rows.append(f"{at:02d}.wav,{'ab'[at % 2]},{'' if at < n_bare else f'g{at % 4}'}")
    (tmp_path / "table.csv").write_text("\n".join(rows) + "\n")
    note = (
        f"{n_bare} of 24 clips {have} no group, the first is '00.wav'; each counts as a group of "
        "its own"
    )
    assert note in preview(config).notes
    result = audioclf.run(config, out=tmp_path / "run", jobs=1)
    assert (result.unit, result.n_units) == ("group", 4 + n_bare)
    assert note in result.notes
    saved = read_run(tmp_path / "run").targets
    assert (saved.unit, len(np.unique(saved.unit_codes))) == ("group", 4 + n_bare)


@pytest.mark.slow
def test_a_metric_that_is_not_defined_has_its_reason(tmp_path: Path) -> None:
    parts_config(tmp_path, 1)
    rows = ["path,label,fold"]
    for at in range(24):
        write_wav(tmp_path / f"{at:02d}.wav", tone(500.0 + 90.0 * (at % 3), 0.3, SR, seed=at), SR)
        rows.append(f"{at:02d}.wav,{'abc'[at % 3]},{'test' if at < 8 and at % 3 < 2 else ''}")
    (tmp_path / "table.csv").write_text("\n".join(rows) + "\n")
    overrides = ("split={type: predefined}", "metrics=[roc_auc, accuracy]")
    config = audioclf.load_config(tmp_path / "parts.yaml", overrides=overrides)
    note = (
        "no test clip is of 'c'; metrics that need a clip of each class, such as roc_auc, are not "
        "defined"
    )
    assert note in preview(config).notes
    result = audioclf.run(config, out=tmp_path / "run", jobs=1)
    assert note in result.notes
    assert any(
        text.startswith("roc_auc is not defined for any pipeline, since no test clip is of 'c'")
        for text in result.notes
    )
    assert "nan" not in describe_result(result)
    with pytest.raises(ResultError, match="not defined on these folds, since no test clip is of"):
        compare_runs([tmp_path / "run"])
