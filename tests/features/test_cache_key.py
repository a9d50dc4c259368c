"""Keys of cached features: they follow whatever decides about the numbers, and nothing else."""

import importlib
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import grimp
import pytest
import soundfile
from pydantic import BaseModel

from audioclf.audio.settings import AudioConfig
from audioclf.audit.leakage.fingerprint import Fingerprint
from audioclf.audit.shortcuts.facts import AuditFacts
from audioclf.base.limits import Limits, use_limits
from audioclf.builtin.featurizers.concat import Concat
from audioclf.builtin.featurizers.mel import MelSpectrogram
from audioclf.builtin.featurizers.stft import Stft
from audioclf.components import code_digest
from audioclf.components.registry import Origin
from audioclf.features import cache_key as keys
from audioclf.features.cache_key import OWN_CODE, KeyMaker
from audioclf.features.waveform import Waveform
from audioclf.plugin import AnyFeaturizer, Featurizer, Flatten, Stats

ORIGIN = Origin("audioclf", "0.1.0", "builtin")
FOREIGN = Origin("audioclf-x", "1.0", "x")


class Wrapper(Featurizer):
    """Holds another featurizer."""

    type: Literal["wrapper"] = "wrapper"
    inner: AnyFeaturizer

    def extract(self, y: Any, sr: int) -> Any:
        return self.inner.extract(y, sr)


class Careless(Featurizer):
    """Holds another featurizer by an annotation that would serialize only the base's fields."""

    type: Literal["careless"] = "careless"
    inner: dict[str, Featurizer]

    def extract(self, y: Any, sr: int) -> Any:
        return self.inner["a"].extract(y, sr)


class Window(BaseModel):
    """Options of a featurizer."""


class Kaiser(Window):
    """Has one option more than the annotation says."""

    beta: float


class Windowed(Featurizer):
    """Has options that are a model of their own."""

    type: Literal["windowed"] = "windowed"
    windows: list[Window]

    def extract(self, y: Any, sr: int) -> Any:
        return y


class Weighted(Featurizer):
    """Reads a file."""

    type: Literal["weighted"] = "weighted"
    weights: tuple[Path, ...]

    def extract(self, y: Any, sr: int) -> Any:
        return y


class Again(MelSpectrogram):
    """The same configuration, another class."""


class Once(MelSpectrogram):
    """And another of the same module."""


def key(**changes: Any) -> str | None:
    arguments: dict[str, Any] = {
        "source_digest": "0" * 64,
        "audio": AudioConfig(sr=8000, duration=1.0),
        "featurizer": MelSpectrogram(n_mels=16),
        "origins": (ORIGIN,),
    }
    arguments |= changes
    digest = arguments.pop("source_digest")
    maker = KeyMaker.make(**arguments)
    return None if maker is None else maker.key(digest)


def real_key(**changes: Any) -> str:
    made = key(**changes)
    assert made is not None
    assert len(made) == 64
    return made


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let versions be read again for every key."""
    for name in ("_libraries", "_requirements"):
        monkeypatch.setattr(code_digest, name, getattr(code_digest, name).__wrapped__)
    return monkeypatch


@pytest.mark.parametrize(
    "changes",
    [
        {"source_digest": "1" * 64},
        {"audio": AudioConfig(sr=8001, duration=1.0)},
        {"audio": AudioConfig(sr=8000)},
        {"audio": AudioConfig(sr=8000, duration=1.0, offset=0.1)},
        {"featurizer": MelSpectrogram(n_mels=17)},
        {"featurizer": MelSpectrogram(n_mels=16, db=None)},
        {"featurizer": Again(n_mels=16)},
        {"featurizer": Stft()},
        {"origins": (Origin("audioclf", "0.1.1", "builtin"),)},
        {"origins": (FOREIGN,)},
    ],
    ids=str,
)
def test_the_key_follows_every_argument(changes: Any) -> None:
    assert real_key(**changes) != real_key()


@pytest.mark.parametrize(
    "changes",
    [
        {"featurizer": MelSpectrogram(n_mels=16, pooling=Flatten(pad=-80.0))},
        {"featurizer": MelSpectrogram(n_mels=16, pooling=Stats(segments=0))},
        {"origins": (Origin("audioclf", "0.1.0", "renamed"),)},
    ],
    ids=str,
)
def test_the_key_follows_neither_the_pooling_nor_the_entry_point(changes: Any) -> None:
    assert real_key(**changes) == real_key()


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        (keys, "FORMAT", 4),
        (code_digest, "__version__", "99"),
        (soundfile, "__libsndfile_version__", "99"),
        (sys, "byteorder", "middle"),
        (code_digest, "_own_digest", lambda place: "other code"),
    ],
)
def test_the_key_follows_what_computes(
    fresh: pytest.MonkeyPatch, where: Any, name: str, value: Any
) -> None:
    before = real_key()
    fresh.setattr(where, name, value)
    assert real_key() != before


@pytest.mark.parametrize("library", ["numpy", "scipy", "soxr", "soundfile", "librosa"])
def test_the_key_follows_the_full_version_of_each_library(
    fresh: pytest.MonkeyPatch, library: str
) -> None:
    version = metadata.version
    before = real_key()
    fresh.setattr(
        metadata, "version", lambda name: version(name) + (".post1" if name == library else "")
    )
    assert real_key() != before


def test_the_key_follows_what_a_foreign_plugin_requires(fresh: pytest.MonkeyPatch) -> None:
    fresh.setattr(code_digest, "versions_behind", lambda names: {"torch": "2.0", "for": str(names)})
    before = real_key(origins=(FOREIGN,)), real_key()
    fresh.setattr(code_digest, "versions_behind", lambda names: {"torch": "2.1", "for": str(names)})
    assert real_key(origins=(FOREIGN,)) != before[0]
    assert real_key() == before[1]


def test_the_key_follows_the_limits_that_a_clip_had_to_keep() -> None:
    with use_limits(Limits(max_channels=128)):
        wider = real_key()
    assert wider != real_key()


def test_the_key_follows_class_and_module_of_a_featurizer() -> None:
    elsewhere = type("MelSpectrogram", (MelSpectrogram,), {"__module__": __name__})
    made = [MelSpectrogram(), Again(), Once(), elsewhere()]
    assert len({real_key(featurizer=each) for each in made}) == 4


def test_only_the_libraries_that_a_component_computes_with_count(fresh: pytest.MonkeyPatch) -> None:
    def ingredients(*names: str) -> Any:
        return code_digest.made_by(MelSpectrogram(), (ORIGIN,), libraries=names)

    before = ingredients("numpy")
    assert {"numpy": metadata.version("numpy")} in before
    fresh.setattr(soundfile, "__libsndfile_version__", "99")
    assert ingredients("numpy") == before
    versions = {"soundfile": metadata.version("soundfile"), "libsndfile": "99"}
    assert versions in ingredients("soundfile")


def test_a_class_made_by_hand_has_no_key() -> None:
    assert key(origins=()) is None
    assert KeyMaker.make(audio=AudioConfig(), featurizer=Again(), origins=()) is None


@pytest.mark.parametrize("wrap", [lambda f: Wrapper(inner=f), lambda f: Careless(inner={"a": f})])
def test_the_key_follows_a_featurizer_inside(wrap: Any) -> None:
    inner = [MelSpectrogram(n_mels=16), MelSpectrogram(n_mels=17), Again(n_mels=16), Stft()]
    inner.append(MelSpectrogram(n_mels=16, pooling=Flatten()))  # it may pool within
    assert len({real_key(featurizer=wrap(part)) for part in inner}) == 5


def test_the_key_follows_options_that_the_annotation_does_not_name() -> None:
    windows: list[list[Window]] = [[], [Window()], [Kaiser(beta=1.0)], [Kaiser(beta=2.0)]]
    assert len({real_key(featurizer=Windowed(windows=each)) for each in windows}) == 4


def test_the_key_follows_the_content_of_a_file_in_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"1")
    before = real_key(featurizer=Weighted(weights=(path,)))
    assert real_key(featurizer=Weighted(weights=(path,))) == before
    path.write_bytes(b"2")
    assert real_key(featurizer=Weighted(weights=(path,))) != before


def test_the_key_follows_names_and_content_of_a_folder_in_the_configuration(tmp_path: Path) -> None:
    def made(*files: str) -> str:
        folder = tmp_path / f"model{len(list(tmp_path.iterdir()))}"
        for file in files:
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(path.name)
        digest = code_digest.made_by(Weighted(weights=(folder,)), (ORIGIN,), libraries=())
        assert digest is not None
        return str(digest[3])

    assert made("a", "x/b") == made("x/b", "a")
    assert len({made("a", "b"), made("a", "x/b"), made("a"), made("b")}) == 4


def test_a_file_that_cannot_be_read_gives_no_key(tmp_path: Path) -> None:
    assert key(featurizer=Weighted(weights=(tmp_path / "none",))) is None


BASE = """
from typing import Literal
from audioclf.plugin import Featurizer
class Base(Featurizer):
    type: Literal["base"] = "base"
    def extract(self, y, sr):
        return y[None, :] * {factor}
"""


LEVEL = """
from typing import Literal
from {module} import Base
class Level(Base):
    type: Literal["level"] = "level"
"""


@pytest.fixture
def key_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Return a function that writes a plugin, imports it afresh, and returns a key with it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)

    def forget() -> None:
        for name in set(sys.modules) - before:
            if name.startswith("audioclf_"):
                del sys.modules[name]

    def make(files: dict[str, str], folder: str = "site") -> str:
        for name, text in files.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        with monkeypatch.context() as context:
            context.syspath_prepend(str(tmp_path / folder))
            forget()
            level = importlib.import_module("audioclf_x").Level()
            return real_key(featurizer=level, origins=(FOREIGN,))

    yield make
    forget()


def one_module(factor: int) -> dict[str, str]:
    level = LEVEL.format(module="audioclf_x").replace("from audioclf_x import Base\n", "")
    return {"audioclf_x.py": BASE.format(factor=factor) + level}


def package(factor: int) -> dict[str, str]:
    base = BASE.format(factor=factor)
    level = LEVEL.format(module="audioclf_x.deep.base")
    return {"audioclf_x/__init__.py": level, "audioclf_x/deep/base.py": base}


def two_distributions(factor: int) -> dict[str, str]:
    base = BASE.format(factor=factor)
    return {"audioclf_x.py": LEVEL.format(module="audioclf_y"), "audioclf_y.py": base}


@pytest.mark.parametrize("layout", [one_module, package, two_distributions])
def test_the_key_follows_code_whose_version_stays(key_with: Any, layout: Any) -> None:
    first = key_with(layout(1))
    assert key_with(layout(2)) != first
    assert key_with(layout(1)) == first


def test_edited_code_counts_once_it_is_reloaded(key_with: Any, tmp_path: Path) -> None:
    first = key_with(package(1))
    base = tmp_path / "site" / "audioclf_x" / "deep" / "base.py"
    base.write_text(BASE.format(factor=2))
    level = sys.modules["audioclf_x"].Level
    assert real_key(featurizer=level(), origins=(FOREIGN,)) == first
    importlib.reload(sys.modules["audioclf_x.deep.base"])
    assert real_key(featurizer=level(), origins=(FOREIGN,)) not in (first, None)


def test_a_file_that_an_editor_leaves_beside_the_code_is_no_error(
    key_with: Any, tmp_path: Path
) -> None:
    first = key_with(package(1))
    (tmp_path / "site" / "audioclf_x" / ".#base.py").symlink_to("user@host.1234")
    assert key_with(package(1)) == first


@pytest.mark.parametrize("name", ["__main__", "audioclf_nowhere", "audioclf_frozen"])
def test_code_without_source_gives_no_key(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, "audioclf_frozen", ModuleType("audioclf_frozen"))

    class Unseen(MelSpectrogram):
        """Comes from a module that has no file."""

    Unseen.__module__ = f"{name}.part"
    assert key(featurizer=Unseen()) is None


@pytest.fixture
def copied_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let keys be made from a copy of our source code, which a test may change."""
    root = tmp_path / "audioclf"
    shutil.copytree(code_digest._ROOT, root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code_digest, "_ROOT", root)
    monkeypatch.setattr(code_digest, "_own_digest", code_digest._own_digest.__wrapped__)
    return root


JOINED = Concat(parts={"mel": MelSpectrogram(n_mels=16)})


ALL = (MelSpectrogram(), Once(), JOINED, Fingerprint(), AuditFacts(), Waveform())
FOLLOWED_BY = {
    "report/__init__.py": (),
    "evaluation/splits.py": (),
    "components/registry.py": (),
    "builtin/classifiers/__init__.py": (),
    "builtin/featurizers/pcen.py": (MelSpectrogram(), Once(), JOINED),
    "audit/leakage/fingerprint.py": (Fingerprint(),),
    "audit/shortcuts/facts.py": (AuditFacts(),),
    "dsp/short_time.py": ALL,
    "audio/decode.py": ALL,
    "components/pooling.py": ALL,
}


def test_the_key_follows_only_the_code_that_a_featurizer_depends_on(copied_source: Path) -> None:
    before = [real_key(featurizer=item) for item in ALL]
    for changed, expected in FOLLOWED_BY.items():
        with (copied_source / changed).open("a") as stream:
            stream.write("\n# changed\n")
        after = [real_key(featurizer=item) for item in ALL]
        changes = [x for x, old, new in zip(ALL, before, after, strict=True) if old != new]
        assert changes == list(expected), changed
        before = after


def test_keys_cover_what_our_featurizers_import() -> None:
    """Not counted: `plugin` and `base`, whose names of types and errors change no number."""
    graph = grimp.build_graph("audioclf")
    parts = [f"audioclf.{part.removesuffix('.py').replace('/', '.')}" for part in OWN_CODE]
    covered = (*parts, "audioclf.builtin.featurizers", "audioclf.plugin", "audioclf.base")
    featurizers = graph.find_children("audioclf.builtin.featurizers")
    for module in (*featurizers, "audioclf.audit.leakage.fingerprint"):
        imported = graph.find_modules_directly_imported_by(module)
        assert [name for name in imported if not name.startswith(covered)] == []
