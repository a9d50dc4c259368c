"""Download of a model at a commit from Hugging Face: the only code here that uses the network."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audioclf.plugin import AudioclfError, ConfigError, EnvironmentMissingError
from audioclf_transformers.folders import CONVERT, HUB_NAME, check_format, folder_of, no_safetensors

_FILES = re.compile(r"((pre)?processor_)?config\.json|model(-\d+-of-\d+)?\.safetensors")


def fetch(name: str) -> str:
    """Download a model into the folder of models, unless it is there; return its licence.

    A name without the hash of a commit is a `ConfigError` that names the hash. Errors are those of
    `Featurizer.fetch_weights`.
    """
    found = HUB_NAME.fullmatch(name)
    model, _, wanted = name.partition("@")
    if not found:
        raise _without_commit(model, wanted)
    folder = folder_of(*found.groups())
    info = None if folder.is_dir() else _from_hub(name, _info, model, wanted)
    if info is None:
        return ""
    if info.sha != wanted:
        raise ConfigError(f"{name}: the service answered with the commit {info.sha}")
    digests = {
        file.rfilename: file.lfs.sha256 if file.lfs else None for file in info.siblings or ()
    }
    names = sorted(filter(_FILES.fullmatch, digests))
    if not any(each.endswith(".safetensors") for each in names):
        others = [each for each in digests if each.endswith((".bin", ".pt", ".h5", ".ckpt"))]
        if others:
            raise ConfigError(no_safetensors(name, others[0]), hint=CONVERT)
        raise ConfigError(f"{name} has no model.safetensors")
    part = folder.with_name(f".{folder.name}.part")
    part.mkdir(parents=True, exist_ok=True)
    for each in names:
        path = part / each
        _from_hub(name, _download, model, wanted, each, part)
        _check(path, digests[each])
    check_format(part)
    shutil.rmtree(part / ".cache", ignore_errors=True)
    part.rename(folder)
    return str(getattr(info.card_data, "license", None) or "")


def _without_commit(model: str, branch: str) -> ConfigError:
    """Return the error for a name without a commit, which is that of the branch now."""
    branch = branch or "main"
    info = _from_hub(model, _info, model, branch)
    return ConfigError(
        f"{model}@{branch} may change; its commit is {info.sha} now",
        hint=f"Run `audioclf weights fetch {model}@{info.sha}`.",
    )


def _info(model: str, revision: str) -> Any:
    from huggingface_hub import HfApi

    return HfApi().model_info(model, revision=revision, files_metadata=True)


def _download(model: str, revision: str, file: str, folder: Path) -> None:
    from huggingface_hub import hf_hub_download

    hf_hub_download(model, file, revision=revision, local_dir=folder)


def _from_hub(name: str, call: Callable[..., Any], *arguments: object) -> Any:
    """Return the result of a call of the service; its errors become one sentence."""
    from huggingface_hub import errors

    page = f"https://huggingface.co/{name.partition('@')[0]}"
    try:
        return call(*arguments)
    except AudioclfError:
        raise
    except errors.GatedRepoError as exc:
        message = f"{name}: its owner has to permit the download"
        raise ConfigError(message, hint=f"Ask on {page}, then run `hf auth login`.") from exc
    except errors.RevisionNotFoundError as exc:
        message = f"{name}: there is no such revision"
        raise ConfigError(message, hint=f"The commits are on {page}/commits/main.") from exc
    except errors.RepositoryNotFoundError as exc:
        message = f"{name}: Hugging Face has no such public model"
        raise ConfigError(
            message, hint="Check the name; a private one needs `hf auth login`."
        ) from exc
    except Exception as exc:  # of the HTTP library, which differs between versions
        reason = " ".join(str(exc).split())[:200] or type(exc).__name__
        raise EnvironmentMissingError(
            f"{name} cannot be downloaded: {reason}",
            hint=f"Check the network. The commits of the model are on {page}/commits/main; with "
            "its files in a folder, set `model` to that folder.",
        ) from exc


def _check(path: Path, digest: str | None) -> None:
    with path.open("rb") as stream:
        actual = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest is not None and actual != digest:
        path.unlink()
        raise ConfigError(
            f"{path.name} has SHA-256 {actual}, and the service says {digest}",
            hint="Run the command again.",
        )
