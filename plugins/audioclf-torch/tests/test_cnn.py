from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError

import audioclf_torch
from audioclf.base.errors import EXIT_ENVIRONMENT
from audioclf.components.component import Component
from audioclf.components.fields import validate_component
from audioclf.plugin import PLUGIN_API, ClassifierError, EnvironmentMissingError
from audioclf.testing import Check, parametrize_with_checks
from audioclf_torch import ConvNet, audioclf_classifiers

if TYPE_CHECKING:
    from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

SHAPE = (12, 10)
TINY: dict[str, Any] = {"channels": (4, 8), "epochs": 2, "batch_size": 16, "min_steps": 0}
OTHER: dict[str, Any] = {
    "channels": (6,),
    "center": "none",
    "segments": 2,
    "epochs": 8,
    "batch_size": 32,
    "min_steps": 0,
    "learning_rate": 0.03,
    "mixup": 0.2,
    "patience": 2,
    "average": 0.5,
}


def bands(
    n_classes: int = 2, per_class: int = 24, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Return noise in which one band is louder, another one for each class, all of the time."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(n_classes), per_class)
    frames = rng.normal(size=(len(y), SHAPE[1], SHAPE[0]))
    frames[np.arange(len(y)), :, 3 + 4 * y] += 5.0
    return frames.reshape(len(y), -1).astype(np.float32), y


def fitted(component: ConvNet, seed: int = 0, groups: Any = None) -> Any:
    X, y = bands()
    model: Any = component.build(random_state=seed)
    return model.fit(X, y, groups=groups, shape=SHAPE)


@parametrize_with_checks(
    [
        ConvNet(
            channels=(4, 8), epochs=8, batch_size=32, min_steps=0, learning_rate=0.03, average=0.5
        )
    ]
)
def test_promises(component: Component, check: Check) -> None:
    check(component)


@pytest.mark.slow
@parametrize_with_checks([ConvNet(**OTHER)])
def test_promises_with_early_stopping_and_mixup(component: Component, check: Check) -> None:
    check(component)


@pytest.mark.parametrize("center", ["none", "time", "both"])
def test_what_differs_in_frequency_or_in_time_is_learned(center: Any) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    frames = rng.normal(size=(60, SHAPE[1], SHAPE[0]))
    frames[y == 0, :5, 2:5] += 4.0
    frames[y == 1, 5:, 8:11] += 4.0
    X = frames.reshape(60, -1).astype(np.float32)
    component = ConvNet(channels=(8, 16), min_steps=60, batch_size=8, center=center, average=0.8)
    model: Any = component.build(random_state=0)
    model.fit(X[:40], y[:40], shape=SHAPE)
    assert np.mean(model.predict(X[40:]) == y[40:]) > 0.9


def test_one_seed_gives_one_network_whatever_pytorch_drew_before() -> None:
    first = fitted(ConvNet(**TINY))
    torch.rand(7)
    second, other = fitted(ConvNet(**TINY)), fitted(ConvNet(**TINY), seed=1)
    X, _ = bands(seed=1)
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    assert np.any(first.predict_proba(X) != other.predict_proba(X))


def test_the_number_of_threads_changes_no_bit() -> None:
    X, _ = bands(seed=1)
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(fitted(ConvNet(**TINY)).predict_proba(X))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*found)


def test_the_generators_of_pytorch_are_left_alone() -> None:
    state = torch.get_rng_state()
    fitted(ConvNet(**TINY))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_fitted_network_pickles() -> None:
    model = fitted(ConvNet(**TINY))
    X, _ = bands()
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_early_stopping_takes_fewer_epochs_than_it_may() -> None:
    component = ConvNet(
        channels=(4, 8), epochs=100, batch_size=48, min_steps=0, patience=1, average=0.0
    )
    model = fitted(component)
    assert 1 <= model.n_epochs_ < 200
    assert fitted(ConvNet(**TINY)).n_epochs_ == 2


def test_few_clips_are_seen_more_often() -> None:
    assert fitted(ConvNet(channels=(4,), epochs=2, batch_size=24, min_steps=11)).n_epochs_ == 6


def test_where_nothing_can_be_held_out_a_warning_says_so() -> None:
    groups = np.repeat([0, 1], 24)  # each class is one group
    with pytest.warns(UserWarning, match="no clips can be held out"):
        model = fitted(ConvNet(**TINY, patience=1), groups=groups)
    assert model.n_epochs_ == 2


def test_augmentation_is_not_part_of_a_prediction() -> None:
    model = fitted(ConvNet(**TINY, noise=5.0))
    X, _ = bands()
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X))


def test_rows_of_another_width_are_refused() -> None:
    model = fitted(ConvNet(**TINY))
    with pytest.raises(ClassifierError, match=r"instead of 120 columns each"):
        model.predict_proba(np.zeros((2, 7), dtype=np.float32))


@pytest.mark.parametrize(
    ("shape", "words"),
    [(None, "needs rows that keep the frames"), ((3, 3), "shape 3 x 3 does not fit 120 columns")],
)
def test_a_shape_that_does_not_fit_is_refused(shape: Any, words: str) -> None:
    X, y = bands()
    model: Any = ConvNet(**TINY).build(random_state=0)
    with pytest.raises(ClassifierError, match=words):
        model.fit(X, y, shape=shape)


def test_one_class_alone_is_refused() -> None:
    X, y = bands(1)
    model: Any = ConvNet(**TINY).build(random_state=0)
    with pytest.raises(ClassifierError, match="one class only"):
        model.fit(X, y, shape=SHAPE)


def test_a_training_that_diverges_is_refused() -> None:
    X, y = bands()
    X[0, 0] = np.float32(3e38)
    model: Any = ConvNet(**TINY, learning_rate=1.0).build(random_state=0)
    with np.errstate(all="ignore"), pytest.raises(ClassifierError, match="no longer finite"):
        model.fit(X * np.float32(10), y, shape=SHAPE)


@pytest.mark.parametrize(
    ("name", "value"),
    [("channels", []), ("epochs", 0), ("batch_size", 1), ("dropout", 1), ("n_jobs", 2)],
)
def test_values_out_of_range_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        validate_component(ConvNet, {name: value})
    assert caught.value.errors()[0]["loc"][0] == name


def test_memory_grows_with_rows_and_with_filters() -> None:
    small, wide = ConvNet(), ConvNet(channels=(512, 512))
    assert small.fit_memory(2000, 1600, 2) > small.fit_memory(1000, 1600, 2)
    assert wide.fit_memory(1000, 1600, 2) > small.fit_memory(1000, 1600, 2)


def test_the_plugin_declares_its_classifier_and_the_contract() -> None:
    assert list(audioclf_classifiers()) == [ConvNet]
    assert audioclf_torch.AUDIOCLF_PLUGIN_API == PLUGIN_API


def test_without_pytorch_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(EnvironmentMissingError, match="needs PyTorch") as caught:
        ConvNet().build(random_state=0)
    assert caught.value.exit_code == EXIT_ENVIRONMENT
    assert caught.value.hint == "Run `pip install torch==2.13.0 safetensors`."


def test_a_gpu_is_not_asked_of_a_machine_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(EnvironmentMissingError, match="can use no GPU here"):
        ConvNet(device="cuda").build(random_state=0)
    ConvNet(device="auto").build(random_state=0)
