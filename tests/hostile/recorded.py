"""Results of long measurements, kept in a JSON file."""

import datetime
import json
from collections.abc import Mapping
from pathlib import Path


def record(path: Path, name: str, result: Mapping[str, object]) -> None:
    """Add a result to a file of results, with the date of today."""
    results = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    results[name] = {**result, "date": today}
    path.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
