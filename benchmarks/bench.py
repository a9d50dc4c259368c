"""Print one table of what audioclf takes, beside its peers in the same run.

    python benchmarks/bench.py [--rounds N] [--only TEXT] [--data FOLDER]

The recordings are the tutorial's and the spoken digits in FOLDER (default: ../shared/data), or
those that come along where they are missing. Torch joins in where it is installed.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measure import HEADER, ONE_THREAD, REPO, Row, measured, print_row, unpacked

os.environ.update(ONE_THREAD)


def all_rows(data: Path, scratch: Path) -> Iterator[Row]:
    archive = data / "barbie_vs_puppy.zip"
    if not archive.is_file():
        archive = REPO / "data" / "barbie_puppy.zip"
        print(f"{data} lacks the real recordings; these are the ones that come along\n")
    digits = data / "free_spoken_digits.zip"
    folder = unpacked(archive, scratch / "tutorial")
    speakers = unpacked(digits, scratch / "digits") if digits.is_file() else None
    # Heavy libraries come later: a child's peak of memory begins at that of its parent.
    import process_rows

    yield from process_rows.rows(folder, archive)
    yield from process_rows.memory_rows(scratch)
    if speakers is not None:
        import whole_run_rows

        yield from whole_run_rows.rows(speakers, scratch)
    import detection_rows
    import feature_rows
    import file_rows

    from audioclf.audio.decode import decode
    from audioclf.audio.settings import AudioConfig
    from audioclf.builtin.loaders.class_folders import FolderDataset

    audio = AudioConfig(sr=feature_rows.SR, duration=3.0)
    recordings = [decode(c.source, audio).y for c in FolderDataset(path=folder).load()]
    short = [y[: round(0.4 * audio.sr)] for y in recordings]
    if speakers is not None:
        short = [decode(c.source, audio).y for c in file_rows.load(speakers).clips[::10]]
    yield from feature_rows.rows(recordings, short)
    yield from file_rows.rows(folder, archive, speakers)
    yield from detection_rows.rows()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    default = Path(os.environ.get("AUDIOCLF_DATA", REPO.parent / "shared" / "data"))
    parser.add_argument("--rounds", type=int, default=11, help="pairs per row (default: 11)")
    parser.add_argument("--data", type=Path, default=default, help="folder of the recordings")
    parser.add_argument("--only", default="", help="only rows whose name holds this text")
    options = parser.parse_args()
    print_row(HEADER)
    print_row(["---"] * len(HEADER))
    with tempfile.TemporaryDirectory() as scratch:
        for row in all_rows(options.data, Path(scratch)):
            if options.only in row.name:
                print_row(measured(row, options.rounds))


if __name__ == "__main__":
    main()
