"""Results of searches and fits of the audits, in the feature cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from audioclf.components.code_digest import canonical, made_by
from audioclf.features.cache import opened_cache
from audioclf.features.cache_entry import Entry
from audioclf.features.cache_key import KeyMaker
from audioclf.features.waveform import Waveform, own_origin

if TYPE_CHECKING:
    from audioclf.audio.settings import AudioConfig

Part = str | NDArray[Any]
Remember = Callable[[str, Sequence[Part], Callable[[], Any]], Any]
"""From a name, all that decides about a result, and its computation, to the result as JSON."""

_OWN_CODE = ("audio", "audit", "base", "dataset", "dsp", "evaluation", "features")
_NO_FEATURES = np.zeros((1, 1), dtype=np.float32)


def computed(name: str, parts: Sequence[Part], compute: Callable[[], Any]) -> Any:
    """Return what is computed, without a cache, as it would come out of one."""
    return json.loads(json.dumps(compute()))


@contextmanager
def remembered_in(folder: Path | None, audio: AudioConfig) -> Iterator[Remember]:
    """Give a function that computes a result, unless the cache has it of an earlier run."""
    made = _made_by(audio)
    with opened_cache(folder) as cache:

        def remember(name: str, parts: Sequence[Part], compute: Callable[[], Any]) -> Any:
            assert cache is not None
            content = [made, name, [_plain(part) for part in parts]]
            key = hashlib.sha256(canonical(content)).hexdigest()
            if (entry := cache.get(key)) is not None:
                return json.loads(entry.meta["result"])
            result = json.dumps(compute())
            cache.put(key, Entry(_NO_FEATURES, {"result": result}))
            return json.loads(result)

        yield computed if cache is None or made is None else remember


def _made_by(audio: AudioConfig) -> list[object] | None:
    """Return the settings, the code and the libraries behind the results of audits."""
    origins, component = own_origin(), Waveform()
    keys = KeyMaker.make(audio=audio, featurizer=component, origins=origins)
    made = made_by(component, origins, libraries=("scikit-learn",), own_code=_OWN_CODE)
    return None if keys is None or made is None else [keys.fixed, made]


def _plain(part: Part) -> object:
    if not isinstance(part, np.ndarray):
        return part
    digest = hashlib.sha256(np.ascontiguousarray(part).data).hexdigest()
    return [digest, str(part.dtype), *part.shape]
