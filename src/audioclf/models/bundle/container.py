"""The zip container of a model: equal bytes for equal content, and checks of untrusted files.

The manifest holds the SHA-256 and size of each member. They detect damage, not forgery: a forger
writes the digests, too.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from audioclf.base.errors import AudioclfError
from audioclf.base.limits import GIB, Limits
from audioclf.dataset.archive import Archive, ZipMember, open_archive
from audioclf.models.bundle.manifest import MANIFEST, MAX_MANIFEST_BYTES, Member, members_of
from audioclf.models.refusal import RefusedError

MODEL_LIMITS = Limits(max_entries=1000, max_entry_bytes=2 * GIB, max_total_bytes=2 * GIB)
"""Upper bounds on untrusted model files."""

_DAMAGED = "Copy the file again, or write the model again with `audioclf run`."
_NO_MODEL = "Give a model file that audioclf wrote; if it is one, copy it again."
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644 << 16
_LEVEL = 4  # four times as fast as the default for arrays, and 5 % larger


def members_for(files: Mapping[str, bytes]) -> dict[str, Member]:
    """Return digest and size of each file, sorted by name."""
    return {
        name: Member(sha256=_sha256(files[name]), size=len(files[name])) for name in sorted(files)
    }


def zipped(files: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive whose bytes depend only on the names, their order and the contents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system, info.external_attr, info.compress_type = 3, _MODE, method
            archive.writestr(info, content, compresslevel=_LEVEL)
    return buffer.getvalue()


def unseal(
    path: Path, limits: Limits = MODEL_LIMITS, *, expect_sha256: str | None = None
) -> tuple[bytes, dict[str, bytes]]:
    """Return the manifest and all other members of a bundle, whose digests agree with it.

    `RefusedError` if it is not the expected file, is no zip archive, exceeds a limit, or a member
    is missing, damaged or unexpected.
    """
    if expect_sha256 is not None:
        _check_file(path, expect_sha256)
    members = _members(path, limits)
    manifest = _read(members[MANIFEST])
    expected = members_of(manifest)
    _check_names(set(members) - {MANIFEST}, set(expected))
    return manifest, {name: _checked(members[name], item) for name, item in expected.items()}


def _members(path: Path, limits: Limits) -> dict[str, ZipMember]:
    archive = _opened(path, limits)
    members = {member.name: member for member in archive.members}
    problem = ""
    if archive.ignored:
        problem = "it holds hidden files or folders, which no model does"
    elif MANIFEST not in members:
        problem = f"it holds no {MANIFEST}, so it is no model"
    elif (size := members[MANIFEST].size) > MAX_MANIFEST_BYTES:
        problem = f"{MANIFEST} has {size} bytes (limit {MAX_MANIFEST_BYTES})"
    if problem:
        raise RefusedError("archive", problem, hint=_NO_MODEL)
    return members


def _check_file(path: Path, expected: str) -> None:
    """Compare the SHA-256 of the whole file before any of it is parsed."""
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as exc:
        raise RefusedError("archive", f"it cannot be read: {exc.strerror or exc}") from exc
    if digest != expected.lower():
        what = f"its SHA-256 is {digest}, and {expected.lower()} was expected"
        hint = "It is another or a changed file: ask the person who gave you the digest."
        raise RefusedError("digest", what, hint=hint)


def _opened(path: Path, limits: Limits) -> Archive:
    try:
        return open_archive(path, limits)
    except AudioclfError as exc:
        # The message starts with the path, which the caller adds.
        what = exc.message.removeprefix(f"{path}").removeprefix("!").removeprefix(": ")
        raise RefusedError("archive", what, hint=exc.hint or _NO_MODEL) from exc


def _check_names(names: set[str], expected: set[str]) -> None:
    if missing := sorted(expected - names):
        raise RefusedError("digest", f"{missing[0]!r} is missing", hint=_DAMAGED)
    if added := sorted(names - expected):
        what = f"{added[0]!r} is not in the manifest, so it does not belong"
        raise RefusedError("digest", what, hint=_DAMAGED)


def _checked(member: ZipMember, expected: Member) -> bytes:
    if member.size != expected.size:
        what = f"{member.name!r} has {member.size} bytes, the manifest says {expected.size}"
        raise RefusedError("digest", what, hint=_DAMAGED)
    content = _read(member)
    if _sha256(content) != expected.sha256:
        what = f"{member.name!r} is damaged (its SHA-256 is not that of the manifest)"
        raise RefusedError("digest", what, hint=_DAMAGED)
    return content


def _read(member: ZipMember) -> bytes:
    try:
        return member.read()
    except AudioclfError as exc:
        what = exc.message.removeprefix(f"{member}: ")
        raise RefusedError("archive", f"{member.name!r}: {what}", hint=_DAMAGED) from exc


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
