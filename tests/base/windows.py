"""Run code as on Windows, as far as another system can pretend: ENCODING CODE LIBRARY...

Modules and calls that Windows lacks are gone, files are locked by `msvcrt`, the standard streams
have a Windows encoding, and a text file that is opened without an encoding is an error.
"""

import errno
import fcntl
import importlib
import io
import os
import signal
import sys
import types
import warnings

GONE_MODULES = ("fcntl", "resource", "termios", "pwd", "grp", "tty", "pty")
GONE_CALLS = (
    *("sysconf", "killpg", "sched_getaffinity", "fork", "getuid", "geteuid", "getpgid", "setsid"),
    *("mkfifo", "O_NONBLOCK", "memfd_create", "posix_fallocate", "statvfs"),
)


class Msvcrt(types.ModuleType):
    LK_NBLCK = 2

    @staticmethod
    def locking(descriptor: int, mode: int, n_bytes: int) -> None:
        assert (mode, n_bytes) == (2, 1)
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
        except OSError:
            raise OSError(errno.EACCES, "Permission denied") from None


flock, LOCK_EX, LOCK_NB = fcntl.flock, fcntl.LOCK_EX, fcntl.LOCK_NB


def pretend(encoding: str, libraries: list[str]) -> None:
    # Libraries decide by the true system when they are imported; only our own module is deceived.
    for library in libraries:
        importlib.import_module(library)
    name, platform = os.name, sys.platform
    sys.modules.pop("audioclf.base.system", None)
    os.name, sys.platform = "nt", "win32"
    import audioclf.base.system as system

    os.name, sys.platform = name, platform
    assert system.WINDOWS
    assert not system.LINUX
    for module in GONE_MODULES:
        sys.modules[module] = None  # type: ignore[assignment]
    for call in GONE_CALLS:
        if hasattr(os, call):
            delattr(os, call)
    del signal.SIGKILL
    sys.modules["msvcrt"] = Msvcrt("msvcrt")
    warnings.filterwarnings("error", category=EncodingWarning, module=r"audioclf\.")
    for stream in (sys.stdout, sys.stderr):
        assert isinstance(stream, io.TextIOWrapper)
        stream.reconfigure(encoding=encoding)


if __name__ == "__main__":
    pretend(sys.argv[1], sys.argv[3:])
    exec(sys.argv[2])
