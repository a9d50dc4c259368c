"""`audioclf model show`."""

import hashlib
import json
from pathlib import Path

import pytest

import audioclf
from audioclf.base.errors import EXIT_MODEL, EXIT_USAGE, ModelError
from audioclf.models.calibration import records
from tests.conftest import run_cli
from tests.models.making import classifier, fitted, forged, made, written


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return made(tmp_path / "m.audioclf", "svm")


def lines_of(path: Path) -> set[str]:
    done = run_cli("model", "show", path, code=0)
    assert done.stderr == ""
    return {" ".join(line.split()) for line in done.stdout.splitlines()}


def test_what_is_inside_is_shown(path: Path) -> None:
    assert lines_of(path) > {
        "model toys: mel/svm",
        "classes 2: barbie, ken",
        "audio mono, 8000 Hz, at most 0.5 s",
        "scores softmax of decision values, not calibrated",
        "trained on 40 clips of toys.zip",
        "accuracy 0.750 0.600 to 0.900",
        "roc_auc not defined",
        "estimator as skops",
        "digests match, which shows no damage; they do not show who wrote the file",
    }


def test_json_is_the_manifest(path: Path) -> None:
    data = json.loads(run_cli("model", "show", path, "--json").stdout)
    assert data["classifier"]["type"] == "svm"
    assert data["evaluation"]["metrics"]["accuracy"]["value"] == 0.75
    assert "card" not in data
    both = json.loads(run_cli("model", "show", path, "--json", "--card").stdout)
    assert both["card"].startswith("# toys: mel/svm")
    assert run_cli("model", "show", path, "--card").stdout.strip() == both["card"].strip()


def test_a_model_that_was_not_evaluated_shows_no_metrics(tmp_path: Path) -> None:
    path = written(tmp_path / "m.audioclf", fitted(classifier("dummy")), evaluation=None)
    lines = lines_of(path)
    assert "evaluated no" in lines
    assert not [line for line in lines if line.startswith("metric")]


def test_names_cannot_steer_the_terminal(tmp_path: Path) -> None:
    found = fitted(classifier("dummy"))
    path = written(tmp_path / "m.audioclf", found, classes=("a\x1b[2Jb", "c\rd"))
    for options in ([], ["--json"], ["--card"]):
        stdout = run_cli("model", "show", path, *options).stdout
        assert "\x1b" not in stdout
        assert "\r" not in stdout


def test_calibration_and_abstaining_are_shown(tmp_path: Path) -> None:
    share = records.Interval(value=0.25, low=0.1, high=0.4)
    counts = {"clips": 60, "units": 12, "unit": "group"}
    path = written(
        tmp_path / "m.audioclf",
        fitted(classifier("dummy")),
        calibration=records.Calibration(
            mapping=records.Temperature(temperature=2.0),
            effect={"log_loss": records.Change(before=0.9, after=0.6, low=-0.4, high=-0.2)},
            **counts,
        ),
        abstain_below=0.6,
        abstention=records.Abstention(
            abstained=share, accuracy=share, accuracy_of_rest=share, errors_avoided=None, **counts
        ),
    )
    assert lines_of(path) > {
        "scores probabilities, calibrated: temperature, on 60 clips, 12 groups",
        "log_loss 0.900 0.600 -0.400 to -0.200",
        "no class below 0.6 share interval",
        "clips without a class 0.250 0.100 to 0.400",
        "wrong classes that are withheld not defined",
    }


def test_a_refused_file_is_one_sentence_and_exit_5(tmp_path: Path) -> None:
    path = tmp_path / "bad.audioclf"
    path.write_bytes(b"nothing")
    done = run_cli("model", "show", path, code=EXIT_MODEL)
    assert done.stdout == ""
    assert done.stderr.startswith(f"audioclf: error: {path}: refused by the archive check: not a")
    assert done.stderr.count("\n") == 2


def test_a_model_is_shown_although_it_cannot_be_loaded(path: Path) -> None:
    forged(path, {"estimator/model.skops": b"not an estimator"})
    run_cli("model", "show", path, code=0)


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_expected_file_is_shown_in_either_case_of_the_digest(path: Path) -> None:
    for digest in (digest_of(path), digest_of(path).upper()):
        run_cli("model", "show", path, "--expect-sha256", digest, code=0)


def test_another_file_than_the_expected_one_is_refused(path: Path, tmp_path: Path) -> None:
    expected = digest_of(path)
    other = made(tmp_path / "other.audioclf", "dummy")
    for args in (("model", "show", other), ("predict", other, tmp_path)):
        done = run_cli(*args, "--expect-sha256", expected, code=EXIT_MODEL)
        assert f"{other}: refused by the digest check: its SHA-256 is {digest_of(other)}" in (
            done.stderr
        )
        assert f"and {expected} was expected" in done.stderr
    with pytest.raises(ModelError, match="refused by the digest check"):
        audioclf.load(other, expect_sha256=expected)


@pytest.mark.parametrize("digest", ["", "abc", "g" * 64, "0" * 63, "0" * 65, "md5:" + "0" * 60])
def test_what_is_no_digest_is_an_error_of_usage(digest: str, path: Path) -> None:
    done = run_cli("model", "show", path, "--expect-sha256", digest, code=EXIT_USAGE)
    assert f"{digest!r} is no SHA-256, which has 64 hexadecimal digits" in done.stderr
