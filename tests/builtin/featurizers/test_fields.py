"""Values that the fields of featurizers refuse, at their place and with a reason."""

from functools import partial
from typing import Any

import pytest
from pydantic import ValidationError

from audioclf.builtin.featurizers.chroma import Chroma
from audioclf.builtin.featurizers.concat import Concat
from audioclf.builtin.featurizers.cqt import Cqt
from audioclf.builtin.featurizers.mel import MelSpectrogram
from audioclf.builtin.featurizers.mfcc import Mfcc
from audioclf.builtin.featurizers.spectral_shape import SpectralShape
from audioclf.builtin.featurizers.stft import Stft
from audioclf.components.fields import validate_component

REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (Stft, {"n_fft": 3}, "n_fft: Input should be greater than or equal to 4"),
    (Stft, {"hop_length": 0}, "hop_length: Input should be greater than or equal to 1"),
    (Stft, {"win_length": 0}, "win_length: Input should be greater than or equal to 1"),
    (Stft, {"n_fft": 512, "win_length": 513}, "win_length=513 must not exceed n_fft=512"),
    (Stft, {"win_length": 3}, "win_length=3 is too short for a default hop_length"),
    (Stft, {"power": 0.0}, "power: Input should be greater than 0"),
    (Stft, {"db": {"top_db": "80"}}, "db.top_db: Input should be a valid number"),
    (Stft, {"db": {"top_db": -1.0}}, "db.top_db: Input should be greater than or equal to 0"),
    (Stft, {"db": {"top": 80.0}}, "db.top: Extra inputs are not permitted"),
    (Stft, {"db": {"amin": 1e-38}}, "db.amin: Input should be greater than"),
    (Stft, {"window": "hanning"}, "window: Value error, window 'hanning' is not one"),
    (Stft, {"pad_mode": "wrap"}, "'constant', 'edge', 'linear_ramp', 'reflect' or 'symmetric'"),
    (MelSpectrogram, {"n_mels": 0}, "n_mels: Input should be greater than"),
    (MelSpectrogram, {"norm": 0}, "norm."),
    (MelSpectrogram, {"fmin": 500.0, "fmax": 500.0}, "fmin=500 must be below fmax=500"),
    (MelSpectrogram, {"warp": 2.01}, "warp: "),
    (MelSpectrogram, {"pcen": {"gain": -0.1}}, "pcen.gain: "),
    (MelSpectrogram, {"pcen": {"power": 3.0}}, "pcen.power: "),
    (MelSpectrogram, {"pcen": {"time_constant": 0.0}}, "pcen.time_constant: "),
    (MelSpectrogram, {"pcen": {"eps": 0.0}}, "pcen.eps: "),
    (Mfcc, {"n_mels": 10}, "n_mfcc=20 must not exceed n_mels=10"),
    (Mfcc, {"n_mels": 1, "n_mfcc": 1, "dct_type": 1}, "dct_type=1 needs n_mels of at least 2"),
    (Mfcc, {"deltas": -1}, "deltas: "),
    (Mfcc, {"lifter": -1.0}, "lifter: "),
    (Mfcc, {"trim_silence": {"top_db": 5.0}}, "greater than or equal to 6"),
    (Mfcc, {"normalize": "variance"}, "'mean' or 'mean_variance'"),
    (Mfcc, {"n_steps": 65_537}, "less than or equal to 65536"),
    (Mfcc, {"augment": {"factors": [0.9, 1.0]}}, "remove the factor 1"),
    (Mfcc, {"augment": {"factors": [0.9, 0.9]}}, "a factor is listed twice"),
    (Mfcc, {"augment": {"factors": []}}, "at least 1 item"),
    (Mfcc, {"augment": {"factors": [0.4]}}, "greater than or equal to 0.5"),
    (Mfcc, {"warp": 1.6, "augment": {"factors": [1.3]}}, "the factor 1.3 of augment makes warp"),
    (Chroma, {"tuning": 0.6}, "tuning: "),
    (Chroma, {"n_chroma": 0}, "n_chroma: "),
    (Chroma, {"norm": "max"}, "norm."),
    (Chroma, {"octwidth": 0.0}, "octwidth: "),
    (Cqt, {"fmin": 0.0}, "fmin: "),
    (Cqt, {"tuning": None}, "tuning: "),
    (Cqt, {"window": "hanny"}, "window: "),
    (SpectralShape, {"features": []}, "at least one feature is needed"),
    (SpectralShape, {"features": ["rms", "centroid", "rms"]}, "rms is listed twice"),
    (SpectralShape, {"features": ["centre"]}, "'centroid'"),
    (SpectralShape, {"roll_percent": 1.0}, "less than 1"),
    (SpectralShape, {"quantile": 0.0}, "greater than 0"),
    (Concat, {"parts": {}}, "at least one part is needed"),
    (Concat, {"parts": {"a b": Mfcc()}}, "String should match pattern"),
]


@pytest.mark.parametrize(
    ("cls", "fields", "words"), REFUSED, ids=[f"{c.type_name()}-{f}" for c, f, _ in REFUSED]
)
def test_values_that_make_no_sense_are_refused(cls: Any, fields: Any, words: str) -> None:
    validate = cls.model_validate if cls is Concat else partial(validate_component, cls)
    with pytest.raises(ValidationError) as caught:
        validate(fields)
    errors = caught.value.errors()
    assert any(words in f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in errors)
