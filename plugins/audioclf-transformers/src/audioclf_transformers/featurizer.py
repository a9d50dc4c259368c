"""Hidden states of a pre-trained model: `type: transformers`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, FiniteFloat, ValidatorFunctionWrapHandler, WrapValidator
from typing_extensions import override

from audioclf.plugin import (
    ConfigError,
    Embedding,
    EnvironmentMissingError,
    InputPath,
    Weights,
    models_folder,
)
from audioclf_transformers.folders import HUB_NAME, check_format, folder_of, is_model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audioclf_transformers.families import Family

    Matrix = NDArray[np.float32]


def _folder_or_name(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    is_name = isinstance(value, str) and HUB_NAME.fullmatch(value)
    return value if is_name else validate(value)


class Transformers(Embedding):
    """Hidden states of a pre-trained model in the format of Hugging Face Transformers.

    Families: wav2vec 2.0, HuBERT, WavLM, Whisper (its encoder), AST and CLAP (its audio part).
    Clips are resampled to the sample rate in `preprocessor_config.json`. The model is called once
    for each clip, or each window, on one thread; frames that hold only padding are dropped.

    `audioclf weights fetch ORG/NAME@REVISION` downloads a model, `audioclf weights inspect FOLDER`
    describes one; both print these fields. A run itself uses no network. Only `.safetensors` files
    are read, and no code of the model. Nobody can tell whether public recordings were among the
    training data of a model.
    """

    type: Literal["transformers"] = "transformers"

    model: Annotated[InputPath, WrapValidator(_folder_or_name)]
    """Folder of the model, relative to the config file, or `org/name@revision` of a model that was
    fetched; the revision is the hash of a commit, 40 hexadecimal digits."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = None
    """SHA-256 of the folder, which is compared before a file is parsed; null to take any."""

    license: str = Field(default="", max_length=200)
    """Licence of the weights, for the record of a run and the card of a model."""

    layer: int | None = None
    """Hidden states to use: 0 is the input of the first layer, n the output of layer n, and -1 the
    output of the last layer; null is the output of the model. CLAP has only the latter."""

    window: Annotated[FiniteFloat, Field(ge=1, le=3600)] = 30.0
    """Length in s of the parts into which longer clips are cut, for wav2vec 2.0, HuBERT and WavLM,
    whose memory grows with it. The other families have windows of their own."""

    @override
    def model_rate(self) -> int:
        return self._opened().rate

    @override
    def weight_files(self) -> Sequence[Weights]:
        name, folder = str(self.model), Path(self.model)
        if found := HUB_NAME.fullmatch(name):
            folder = folder_of(*found.groups())
            if not folder.exists():
                raise EnvironmentMissingError(
                    f"{name} is not in {models_folder()}",
                    hint=f"Run `audioclf weights fetch {name}`; a run downloads nothing.",
                )
        elif not folder.is_dir():
            raise ConfigError(
                f"{name}: there is no such folder with a model",
                hint="Check the path. A model of Hugging Face is given as org/name@revision, with "
                "the hash of a commit.",
            )
        check_format(folder)
        weights = Weights.of(
            folder, sha256=self.sha256, license=self.license, field="model", digest_field="sha256"
        )
        return [replace(weights, name=name) if found else weights]

    @override
    @classmethod
    def describe_weights(cls, path: Path) -> str | None:
        from audioclf_transformers.inspection import describe

        return describe(path.absolute(), cls.model_validate) if is_model(path) else None

    @override
    @classmethod
    def fetch_weights(cls, name: str) -> str | None:
        from audioclf_transformers.hub import fetch
        from audioclf_transformers.inspection import describe

        if not re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w./-]*)?", name, re.ASCII):
            return None
        return describe(name, cls.model_validate, terms=fetch(name))

    @override
    def prepare(self, y: Matrix) -> Matrix:
        return self._opened().prepared(y)

    @override
    def embed(self, y: Matrix) -> Matrix:
        import numpy as np

        model = self._opened()
        if len(y) < model.least:
            raise self.too_short(len(y), model.least)
        size = model.window or round(self.window * model.rate)
        # A rest that is too short for the model is left out.
        starts = [start for start in range(0, len(y), size) if len(y) - start >= model.least]
        parts = [model.frames(y[start : start + size], self.layer) for start in starts]
        return np.concatenate(parts, axis=1)

    def _opened(self) -> Family:
        from audioclf_transformers.opened import open_model

        (weights,) = self.weight_files()
        return open_model(weights)
