"""Measure what the project promises of hostile input, killed runs and equal numbers.

    python benchmarks/trust [--quick] [--only FAMILY ...] [--write docs/development/trust.md]

Each family is a module here; its figures come from this call. A row that was not run says so. Exit
code 1 if a row does not hold.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO), str(Path(__file__).parent)]

from table import FAMILIES, Row, Size, as_markdown, write_between  # noqa: E402


def rows_of(family: str, size: Size, scratch: Path) -> list[Row]:
    started = time.monotonic()
    found: list[Row] = []
    try:
        for row in import_module(family).rows(size, scratch):
            found.append(row)
            print(row.as_text(), flush=True)
    except Exception as exc:  # noqa: BLE001  one family that breaks must not hide the others
        found.append(Row(family, f"broke: {type(exc).__name__}: {exc}", holds=False))
        print(found[-1].as_text(), flush=True)
    print(f"  ({family}: {time.monotonic() - started:.0f} s)", flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small counts, no coverage")
    parser.add_argument("--only", nargs="+", choices=[*FAMILIES], default=[*FAMILIES])
    parser.add_argument("--write", type=Path, help="page whose table is replaced")
    options = parser.parse_args()
    size = Size(quick=options.quick)
    found: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for family, (when, _) in FAMILIES.items():
            if family in options.only and not (size.quick and when == "full only"):
                place = Path(scratch) / family
                place.mkdir()
                found[family] = rows_of(family, size, place)
    text = as_markdown(found, size)
    if options.write:
        write_between(options.write, text)
    print(f"\n{text}")
    return 0 if all(row.holds is not False for rows in found.values() for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
