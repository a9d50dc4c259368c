"""Connection to a Dask cluster: address, scheduler, versions of the workers."""

from __future__ import annotations

import ipaddress
import logging
import platform
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from typing import Any

from audioclf.base.errors import ConfigError, EnvironmentMissingError, PluginError

LIBRARIES = ("audioclf", "numpy", "scipy", "scikit-learn", "soxr", "soundfile", "librosa")
"""Distributions that must have the same version everywhere, since they compute the numbers."""

CONNECT_SECONDS = 5.0

_LISTED = 5


def check_address(address: str, *, insecure: bool) -> tuple[str, int]:
    """Return host and port of a scheduler, if the connection is safe.

    Any client of a Dask scheduler can run code on its workers and on its other clients, so one on
    another machine must use TLS.
    """
    match = re.fullmatch(r"(?:(\w+)://)?(\[[0-9a-fA-F:]+\]|[^\s:/\[\]]+):(\d{1,5})/?", address)
    if match is None:
        raise ConfigError(
            f"{address!r} is not the address of a Dask scheduler",
            hint="Give it as tls://HOST:PORT, or as tcp://127.0.0.1:PORT on this machine.",
        )
    scheme, host, port = match[1] or "tcp", match[2].strip("[]"), int(match[3])
    if scheme not in ("tls", "wss") and not _is_this_machine(host) and not insecure:
        raise ConfigError(
            f"the connection to the scheduler at {address} would not be encrypted, so others on "
            "the network could run code as you",
            hint="Use tls://, or add --insecure-cluster on a network that only you use.",
        )
    return host, port


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def import_distributed() -> Any:
    """Return the module `distributed`."""
    try:
        import distributed
    except ImportError as exc:
        raise EnvironmentMissingError(
            "the engine dask needs the distribution distributed, which is not installed",
            hint="Run: pip install distributed",
        ) from exc
    return distributed


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the loggers of Dask, which write to stderr, within the body."""
    names = ("distributed", "distributed.client", "distributed.gc", "tornado", "asyncio")
    loggers = [logging.getLogger(name) for name in (*names, "tornado.application")]
    before = [(logger, logger.handlers, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [logging.NullHandler()], False
    try:
        yield
    finally:
        for logger, handlers, propagate in before:
            logger.handlers, logger.propagate = handlers, propagate


def connect(address: str, host: str, port: int) -> Any:
    """Return a client of the scheduler, within a few seconds."""
    _check_certificates(address)
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except OSError as exc:
        raise _no_answer(address) from exc
    made: list[Any] = []
    # Without a scheduler at the other end, Dask would wait for ever.
    connecting = threading.Thread(target=_make_client, args=(address, made), daemon=True)
    connecting.start()
    connecting.join(CONNECT_SECONDS)
    client = made[0] if made else None
    if client is None or isinstance(client, Exception):
        raise _no_answer(address) from client
    return client


def _check_certificates(address: str) -> None:
    security = import_distributed().Security()
    if not address.startswith("tls://"):
        return
    if security.get_connection_args("client")["ssl_context"] is None:
        raise EnvironmentMissingError(
            f"there are no certificates for the scheduler at {address}",
            hint="Name them in Dask's configuration, as in "
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE=ca.pem and __CLIENT__CERT, __CLIENT__KEY.",
        )


def _make_client(address: str, made: list[Any]) -> None:
    try:
        client = import_distributed().Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        made.append(client)
    except Exception as exc:  # noqa: BLE001 - handed to the thread that waits
        made.append(exc)


def _no_answer(address: str) -> EnvironmentMissingError:
    return EnvironmentMissingError(
        f"no Dask scheduler answers at {address}",
        hint="Start one with `dask scheduler`, or correct the address.",
    )


Versions = tuple[tuple[str, str], ...]
"""Names of distributions, and `python`, each with its version."""


def versions_here(required: Mapping[str, str]) -> Versions:
    """Return the versions that every worker must have: ours, and those that the caller requires."""
    ours = {"python": platform.python_version()}
    ours |= {name: metadata.version(name) for name in LIBRARIES}
    return tuple({**ours, **required}.items())


def check_workers(client: Any, versions: Versions) -> None:
    """Ask every worker of a cluster for its versions."""
    answers = {name: client.run(*_question(name), on_error="return") for name, _ in versions}
    _refuse(
        _problem(worker, name, ours, theirs)
        for name, ours in versions
        for worker, theirs in answers[name].items()
    )


def check_this_worker(address: str, versions: Versions) -> None:
    """Check the worker that runs this, which may have joined later."""
    _refuse(_problem(address, name, ours, _answer(*_question(name))) for name, ours in versions)


def _question(name: str) -> tuple[Callable[..., str], *tuple[str, ...]]:
    """Return a call of the standard library, because a worker may lack our code."""
    return (platform.python_version,) if name == "python" else (metadata.version, name)


def _answer(ask: Callable[..., str], *args: str) -> str | Exception:
    try:
        return ask(*args)
    except metadata.PackageNotFoundError as exc:
        return exc


def _problem(worker: str, name: str, ours: str, theirs: str | Exception) -> str | None:
    if isinstance(theirs, Exception):
        return f"worker {worker} lacks {name} {ours}"
    same = _relevant(name, ours) == _relevant(name, theirs)
    return None if same else f"worker {worker} has {name} {theirs}, but {ours} is needed"


def _relevant(name: str, version: str) -> str:
    """Return the version, but only 3.11 of Python 3.11.7: a patch release changes no number."""
    return version.rpartition(".")[0] if name == "python" else version


def _refuse(problems: Iterable[str | None]) -> None:
    texts = [problem for problem in problems if problem is not None]
    if texts:
        more = f"; and {len(texts) - _LISTED} more" if len(texts) > _LISTED else ""
        raise PluginError(
            "; ".join(texts[:_LISTED]) + more,
            hint="Install the same versions on every worker as here, then start it again.",
        )
