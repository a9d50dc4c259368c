"""`audioclf serve MODEL`."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress
from typing import Annotated

import typer

from audioclf.base.errors import EnvironmentMissingError, ResultError
from audioclf.cli import options
from audioclf.cli.terminal import complain, complain_each
from audioclf.server.safety import LOOPBACK


def serve(
    bundle: options.ModelArgument,
    host: Annotated[
        str, typer.Option(help="Address to listen at; only this machine reaches the default.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 for a free one.")] = 8000,
    allow_host: Annotated[
        list[str],
        typer.Option(metavar="NAME", help="Name by which clients call the server; * for any."),
    ] = [],  # noqa: B006  typer copies it
    workers: Annotated[int, typer.Option(min=1, help="Processes that predict.")] = 1,
    max_bytes: Annotated[int, typer.Option(min=1, help="Greatest size of a sound.")] = 20_000_000,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="Longest time for one sound; its worker is ended then.")
    ] = 60.0,
    weights: options.WeightsOption = [],  # noqa: B006  typer copies it
    expect_sha256: options.ExpectOption = None,
    strict: options.StrictModelOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Serve a model over HTTP, with a page to try it."""
    try:
        import uvicorn

        from audioclf.server.app import Server, make_app
        from audioclf.server.body import Bodies
        from audioclf.server.connection import SECONDS, Connection
    except ModuleNotFoundError as exc:
        raise EnvironmentMissingError(
            f"serve needs the package {exc.name}", hint="Install audioclf[serve]."
        ) from exc
    from audioclf.server.workers import Workers

    model, notes = options.open_model_of("serve", bundle, weights, expect_sha256, strict=strict)
    complain_each("note", notes)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        opened = socket.create_server((host, port), family=family)
    except OSError as exc:
        raise ResultError(f"cannot listen at {host} port {port}: {exc.strerror or exc}") from exc
    # asyncio does so for sockets that name their protocol; else answers wait 40 ms for the client.
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    hosts = [*LOOPBACK, *allow_host, *([] if _is_any(host) else [host])]
    with opened:
        server = Server(model, Workers(model, workers, seconds), Bodies(max_bytes))
        if not quiet:
            name = f"[{host}]" if ":" in host else host
            complain("note", f"http://{name}:{opened.getsockname()[1]}/ until Ctrl-C")
        if host not in {*LOOPBACK, "::1"}:
            complain("warning", "other machines reach this server, and nothing asks who they are")
        config = uvicorn.Config(
            make_app(server, hosts),
            log_level="error",
            access_log=False,
            http=Connection,
            timeout_keep_alive=round(SECONDS),
            server_header=False,
        )
        with suppress(KeyboardInterrupt):  # after an orderly end
            uvicorn.Server(config).run(sockets=[opened])


def _is_any(host: str) -> bool:
    """Return whether an address stands for all addresses of this machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
