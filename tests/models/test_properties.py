"""Whatever a model file holds: it is refused in one sentence, or it is the model that it was."""

import copy
import io
import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audioclf.base.errors import EXIT_MODEL, ModelError
from audioclf.evaluation.predictions import scores_of_rows
from audioclf.models.arrays import to_npy
from audioclf.models.bundle.container import members_for, zipped
from audioclf.models.bundle.manifest import MANIFEST
from audioclf.models.bundle.reading import read_bundle
from tests.models.making import ESTIMATOR, classifier, fitted, made, registry, unpacked, written

SKOPS: dict[str, dict[str, Any]] = {
    "gradient_boosting": {"n_estimators": 2},
    "hist_gradient_boosting": {"max_iter": 2, "min_samples_leaf": 3},
    "knn": {},
    "logistic_regression": {},
    "random_forest": {"n_estimators": 2},
    "svm": {},
}
FOREIGN = "audioclf_stranger"
"""A module that leaves a mark when it is imported."""

quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(autouse=True)
def nothing_named_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put a module on the path that no check may import."""
    (tmp_path / f"{FOREIGN}.py").write_text("class Estimator:\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    assert FOREIGN not in sys.modules


def expect_refused_or_the_same(path: Path) -> None:
    """Load a file that a stranger made; where it loads, it says what its own rows say."""
    refused: ModelError | None = None
    try:
        bundle = read_bundle(path, registry())
    except ModelError as exc:
        refused = exc
    if refused is not None:
        assert refused.exit_code == EXIT_MODEL
        assert refused.message.startswith(f"{path}: refused by the ")
        assert "\n" not in refused.message
        assert len(refused.message) < len(str(path)) + 2000
        return
    scores = bundle.model.scores_of(bundle.check.rows)
    assert bundle.check.scores is not None
    np.testing.assert_allclose(scores, bundle.check.scores, atol=1e-6)


# --- structure first


NUMBERS = (0, -1, 2, 10**9, 2**63, 10**30, -0.5, float("nan"), float("inf"))
WORDS = ("", "0", "\0", "builtins", "function", "os.system", FOREIGN, "Estimator", "MethodNode")
OTHERS: tuple[Any, ...] = (
    "ObjectNode",
    "ReduceNode",
    "x" * 5000,
    "../../etc/passwd",
    None,
    True,
    [],
    [[]],
    {},
)
OBJECT = {"__module__": FOREIGN, "__class__": "Estimator", "__loader__": "ObjectNode"}
NASTY: st.SearchStrategy[Any] = st.sampled_from([*NUMBERS, *WORDS, *OTHERS, OBJECT])


def places(node: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of everything inside a JSON value."""
    if not isinstance(node, dict | list):
        return
    for key, child in node.items() if isinstance(node, dict) else enumerate(node):
        yield (*here, key)
        yield from places(child, (*here, key))


CHANGES = st.sampled_from(["replace", "replace", "remove", "wrap", "move"])


@st.composite
def edits(draw: st.DrawFn, root: Any) -> Any:
    """Replace, remove, repeat or move something inside a JSON value."""
    root, known = copy.deepcopy(root), st.sampled_from(list(places(root)))
    for _ in range(draw(st.integers(1, 3))):
        place, source, what, value = draw(known), draw(known), draw(CHANGES), draw(NASTY)
        with suppress(KeyError, IndexError, TypeError):  # an edit before took the place away
            if what == "move":
                value = at(root, source)
            holder, last = at(root, place[:-1]), place[-1]
            if what == "remove":
                del holder[last]
            elif what == "wrap":
                holder[last] = [holder[last], copy.deepcopy(holder[last])]
            else:
                holder[last] = copy.deepcopy(value)
    return root


def at(root: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        root = root[key]
    return root


def repacked(files: dict[str, bytes], change: Callable[[dict[str, Any]], Any]) -> bytes:
    """Return a bundle whose digests fit, and whose manifest was changed after that."""
    everything = dict(files)
    manifest = json.loads(everything.pop(MANIFEST))
    manifest["members"] = {n: i.model_dump() for n, i in members_for(everything).items()}
    return zipped({MANIFEST: json.dumps(change(manifest)).encode(), **everything})


@pytest.fixture(
    params=[
        pytest.param(
            name, marks=[pytest.mark.slow] * (name not in {"hist_gradient_boosting", "svm"})
        )
        for name in SKOPS
    ]
)
def files(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, bytes]:
    return unpacked(made(tmp_path / "m.audioclf", request.param, **SKOPS[request.param]))


@quick
@given(data=st.data())
def test_any_manifest_is_refused_or_changes_no_score(data: Any, tmp_path: Path) -> None:
    path = made(tmp_path / "m.audioclf", "logistic_regression")
    path.write_bytes(repacked(unpacked(path), lambda m: data.draw(edits(m))))
    expect_refused_or_the_same(path)


@st.composite
def other_arrays(draw: st.DrawFn, content: bytes) -> bytes:
    """Return an array of other values, another type or another shape; or bytes that are none."""
    array = np.load(io.BytesIO(content))
    what = draw(st.sampled_from(["values", "values", "values", "type", "shape", "length", "bytes"]))
    if what == "values":
        raw = bytearray(array.tobytes())
        for _ in range(draw(st.integers(1, 4)) if raw else 0):
            raw[draw(st.integers(0, len(raw) - 1))] = draw(st.sampled_from([0, 1, 127, 128, 255]))
        array = np.frombuffer(bytes(raw), array.dtype).reshape(array.shape)
    elif what == "type":
        kinds = ["<f8", ">f8", "<f4", "<i4", "<i8", "<u2", "|b1", "<U3", "<c16", "<M8[s]"]
        array = np.zeros(array.shape, draw(st.sampled_from(kinds)))
    elif what == "shape":
        shape = draw(st.sampled_from([(-1,), (-1, 1), (1, -1), (1, 1, -1), (1, -1, 1)]))
        array = array.reshape(shape)
    elif what == "length":
        array = array[: draw(st.integers(0, 3))] if array.ndim else array[None]
    else:
        return draw(st.binary(max_size=200))
    return to_npy(array)


@quick
@given(data=st.data())
def test_any_schema_or_array_of_the_estimator_is_refused_or_changes_no_score(
    data: Any, files: dict[str, bytes], tmp_path: Path
) -> None:
    with zipfile.ZipFile(io.BytesIO(files[ESTIMATOR])) as archive:
        inner = {name: archive.read(name) for name in archive.namelist()}
    if data.draw(st.booleans()):
        schema = data.draw(edits(json.loads(inner["schema.json"])))
        inner["schema.json"] = json.dumps(schema).encode()
    else:
        names = st.sampled_from(sorted(set(inner) - {"schema.json"}))
        for name in data.draw(st.lists(names, min_size=1, max_size=2, unique=True)):
            inner[name] = data.draw(other_arrays(inner[name]))
    stored = zipped(inner, method=zipfile.ZIP_STORED)
    path = tmp_path / "m.audioclf"
    path.write_bytes(repacked({**files, ESTIMATOR: stored}, lambda m: m))
    expect_refused_or_the_same(path)


# --- then bytes


@settings(quick, max_examples=200)
@given(head=st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", b"\x80\x04", b"{"]), noise=...)
def test_noise_is_no_model(head: bytes, noise: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.audioclf"
    path.write_bytes(head + noise)
    with pytest.raises(ModelError, match="refused by the archive check: "):
        read_bundle(path, registry())


# --- and what was written comes back


@pytest.mark.slow
@settings(quick, max_examples=25)
@given(
    type_name=st.sampled_from([*SKOPS, "dummy", "extra_trees", "sgd"]),
    n_classes=st.integers(2, 4),
    per_class=st.integers(6, 12),
)
def test_a_model_predicts_the_same_loaded_and_written_again(
    type_name: str, n_classes: int, per_class: int, tmp_path: Path
) -> None:
    small = {"n_estimators": 2} if type_name == "extra_trees" else SKOPS.get(type_name, {})
    found = fitted(classifier(type_name, **small), n_classes, per_class)
    expected, kind = scores_of_rows(found.estimator, found.X, n_classes)
    assert expected is not None
    once = read_bundle(written(tmp_path / "m.audioclf", found), registry())
    rewritten = written(tmp_path / "again.audioclf", found, estimator=once.estimator)
    for bundle in (once, read_bundle(rewritten, registry())):
        codes = bundle.model.codes_of(found.X)
        np.testing.assert_array_equal(codes, found.estimator.predict(found.X))
        np.testing.assert_array_equal(bundle.model.scores_of(found.X), expected)
        assert bundle.model.score_kind == kind
