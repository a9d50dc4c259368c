"""Executes docs/start/first_notebook.ipynb and stores the outputs that it has as text.

Run `make docs` after a change of the notebook. The tests compare the stored outputs.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).resolve().parent / "start" / "first_notebook.ipynb"


def executed(notebook: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a notebook with the outputs of its code cells, executed in a folder."""
    names: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.chdir(folder):
        cells = [_executed_cell(cell, names) for cell in notebook["cells"]]
    return {**notebook, "cells": cells}


def _executed_cell(cell: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    if cell["cell_type"] != "code":
        return cell
    body = ast.parse("".join(cell["source"])).body
    last = body[-1].value if body and isinstance(body[-1], ast.Expr) else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(ast.Module(body[:-1] if last else body, []), "cell", "exec"), names)  # noqa: S102
        value = eval(compile(ast.Expression(last), "cell", "eval"), names) if last else None  # noqa: S307
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        text = printed.getvalue().splitlines(keepends=True)
        outputs.append({"name": "stdout", "output_type": "stream", "text": text})
    if value is not None:
        data = {"text/plain": repr(value).splitlines(keepends=True)}
        outputs.append(
            {"data": data, "execution_count": None, "metadata": {}, "output_type": "execute_result"}
        )
    return {**cell, "outputs": outputs}


def main() -> None:
    """Write the notebook again."""
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["AUDIOCLF_CACHE_DIR"] = str(Path(folder) / "cache")
        text = json.dumps(executed(notebook, Path(folder)), indent=1, ensure_ascii=False)
    NOTEBOOK.write_text(text + "\n", encoding="utf-8")
    sys.stderr.write(f"{NOTEBOOK} written\n")


if __name__ == "__main__":
    main()
