"""A small convolutional network as a classifier of audioclf: `type: cnn`.

It uses time and frequency, so its featurizer must keep the frames: `pooling: {type: flatten}`.
PyTorch is imported when a network is built, not to list plugins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Len
from pydantic import Field, FiniteFloat
from typing_extensions import override

from audioclf.plugin import Classifier, EnvironmentMissingError, hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sklearn.base import ClassifierMixin

AUDIOCLF_PLUGIN_API = 1

Width = Annotated[int, Field(ge=1, le=1024)]
Share = Annotated[FiniteFloat, Field(ge=0, le=1)]


class ConvNet(Classifier):
    """Small convolutional network on spectrograms, with data augmentation.

    Each stage is a 3 x 3 convolution, batch normalization and ReLU; all but the last halve time and
    frequency. Training clips are shifted, stretched, masked and mixed at random each time. The
    weights are an average over the last steps of the training.
    """

    type: Literal["cnn"] = "cnn"

    uses_groups: ClassVar[bool] = True
    uses_shape: ClassVar[bool] = True
    model_format: ClassVar[str] = "cnn-safetensors"

    channels: Annotated[tuple[Width, ...], Len(1, 8)] = (16, 32, 64, 128)
    """Filters of each stage, 1 to 8 stages."""

    center: Literal["none", "time", "both"] = "both"
    """Input of the first stage: `none` the levels, `time` each band without its mean over the
    clip, as in cepstral mean normalization, `both` the two side by side."""

    segments: int = Field(default=1, ge=1, le=64)
    """Equal parts of the time over which the last stage is averaged; 1 ignores the order."""

    dropout: FiniteFloat = Field(default=0.2, ge=0, lt=1)
    """Share of the averages that is dropped at each step of the training, in [0, 1)."""

    epochs: int = Field(default=12, ge=1, le=10_000)
    """Number of epochs; the largest number, if `patience` is set."""

    min_steps: int = Field(default=400, ge=0, le=1_000_000)
    """Least number of steps: with few clips, the number of epochs is raised."""

    batch_size: int = Field(default=64, ge=2, le=65_536)
    """Clips of a step, at least 2."""

    learning_rate: FiniteFloat = Field(default=0.006, gt=0, le=1)
    """Greatest step size of AdamW: it rises to this in the first quarter and then falls to 0."""

    weight_decay: FiniteFloat = Field(default=0.02, ge=0, le=1)
    """Decay of the weights of AdamW, in [0, 1]."""

    label_smoothing: FiniteFloat = Field(default=0.1, ge=0, lt=1)
    """Share of each label that is spread over all classes, in [0, 1)."""

    average: FiniteFloat = Field(default=0.98, ge=0, lt=1)
    """Share of the averaged weights that a step keeps, in [0, 1); 0 for the last weights alone."""

    mixup: FiniteFloat = Field(default=0.0, ge=0, le=10)
    """Concentration of the Beta distribution that mixes two clips and their labels; 0 for none."""

    frequency_stretch: FiniteFloat = Field(default=0.12, ge=0, le=0.7)
    """Greatest stretch along frequency, as the logarithm of a factor; the lowest band stays. With
    `frequency_shift` it stands for vocal tracts of other lengths."""

    frequency_shift: Share = 0.06
    """Greatest shift along frequency, as a share of the bands."""

    time_stretch: FiniteFloat = Field(default=0.25, ge=0, le=0.7)
    """Greatest stretch along time, as the logarithm of a factor; the middle stays."""

    time_shift: Share = 0.075
    """Greatest shift along time, as a share of the frames."""

    frequency_mask: Share = 0.25
    """Greatest width of the bands that are masked in each clip, as a share of all."""

    time_mask: Share = 0.25
    """Greatest width of the frames that are masked in each clip, as a share of all."""

    equalizer: FiniteFloat = Field(default=0.4, ge=0, le=10)
    """Spread of a smooth random curve over frequency that is added to a clip, as another microphone
    would; in standard deviations of the training values."""

    noise: FiniteFloat = Field(default=0.3, ge=0, le=10)
    """Greatest level of noise that is added to a clip, in standard deviations of the training
    values."""

    patience: int | None = Field(default=None, ge=1)
    """Epochs without a better loss on clips that are held out, after which the training ends and
    the best weights are taken; null learns from all clips for all epochs."""

    validation_fraction: FiniteFloat = Field(default=0.1, gt=0, le=0.5)
    """Share of the training clips that `patience` holds out, in (0, 0.5]: whole groups where the
    dataset has groups, else clips of each class."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the network is trained; `auto` takes an NVIDIA GPU if PyTorch can use one."""

    @override
    def build(self, *, random_state: int) -> ClassifierMixin:
        torch = _imported()
        if self.device == "cuda" and not torch.cuda.is_available():
            raise EnvironmentMissingError(
                f"cnn has `device: cuda`, but PyTorch {torch.__version__} can use no GPU here",
                hint="Set `device: auto`, or install the build of PyTorch for your GPU.",
            )
        from audioclf_torch.estimator import ConvNetClassifier

        return ConvNetClassifier(self, random_state=random_state)

    @override
    def fit_memory(self, n_rows: int, n_columns: int, n_classes: int) -> int:
        # PyTorch, a copy of the rows, and the stages of one step by their shapes; not measured.
        per_pixel = sum(width / 4.0**stage for stage, width in enumerate(self.channels))
        step = 24 * per_pixel * min(self.batch_size, n_rows) * n_columns
        return (160 << 20) + 8 * n_rows * n_columns + round(step)

    @override
    def refuses_mixtures(self) -> str:
        return "mixes by itself: set its field `mixup`"

    @override
    def fit_states(self, estimator: Any, X: Any, states: Any, **passed: Any) -> Any:
        """Train one network whose outputs are the scores of the classes, each by itself."""
        return estimator.fit_states(X, states, **passed)

    @override
    def dump(self, estimator: Any) -> dict[str, bytes]:
        from audioclf_torch.weights import dumped

        return dumped(estimator.network_)

    @override
    def restore(self, files: Mapping[str, bytes]) -> ClassifierMixin:
        _imported()
        from audioclf_torch.estimator import ConvNetClassifier
        from audioclf_torch.weights import restored

        return ConvNetClassifier.of(self, restored(self, files))


@hookimpl
def audioclf_classifiers() -> list[type[ConvNet]]:
    """Return the one classifier of this plugin."""
    return [ConvNet]


def _imported() -> Any:
    try:
        import safetensors  # noqa: F401
        import torch
    except (ImportError, OSError) as exc:  # the latter: a library of PyTorch does not load
        reason = str(exc).strip().split("\n")[0]
        raise EnvironmentMissingError(
            f"the classifier cnn needs PyTorch and safetensors: {reason}",
            hint="Run `pip install torch==2.13.0 safetensors`.",
        ) from exc
    return torch
