"""A fresh environment that sees the packages of this one, to install a plugin into."""

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Environment:
    """A virtual environment."""

    folder: Path

    def run(self, script: str, cwd: Path) -> str:
        """Run lines of a shell and return what they print; pip gets along without a network."""
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=cwd,
            env=self._variables(),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _variables(self) -> dict[str, str]:
        kept = {key: text for key, text in os.environ.items() if key != "PYTHONPATH"}
        return {
            **kept,
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": str(self.folder),
            "PIP_NO_DEPS": "1",
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads this as: no isolation
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }


def make_environment(folder: Path) -> Environment:
    """Make an environment whose packages are those of this one, by a `.pth` file."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "outer.pth").write_text(f"import site; site.addsitedir({_site()!r})\n")
    for name, module in (("audioclf", "audioclf"), ("pytest", "pytest")):
        script = folder / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{folder}/bin/python" -m {module} "$@"\n')
        script.chmod(0o755)
    return Environment(folder)


def _site() -> str:
    return sysconfig.get_paths()["purelib"]
