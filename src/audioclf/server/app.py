"""The HTTP application: predictions, the model, its health, numbers, and a page to try it."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from audioclf._version import __version__
from audioclf.base.errors import AudioclfError
from audioclf.models.windows import Cutting
from audioclf.predict.settings import Settings, check_settings, event_rule
from audioclf.server.body import Bodies, TooLargeError
from audioclf.server.openapi import Query, description
from audioclf.server.page import page_of
from audioclf.server.safety import PAGE_HEADERS, refusal
from audioclf.server.workers import NoWorkerError, RawSamples, Request, Workers

if TYPE_CHECKING:
    from audioclf.models.model import Model

MOST_WAITING = 64
"""Sounds that wait for a worker; further ones are refused."""
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in s of the histogram of times, as Prometheus clients have them by default."""


@dataclass(eq=False)
class _Counts:
    """Numbers for Prometheus."""

    requests: Counter[int] = field(default_factory=Counter)
    buckets: Counter[float] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, status: int, seconds: float) -> None:
        self.requests[status] += 1
        self.seconds += seconds
        for bound in _BUCKETS:
            self.buckets[bound] += seconds <= bound

    def text(self, busy: int) -> str:
        lines = ["# TYPE audioclf_predictions_total counter"]
        for status, number in sorted(self.requests.items()):
            lines.append(f'audioclf_predictions_total{{status="{status}"}} {number}')
        name, total = "audioclf_prediction_seconds", self.requests.total()
        lines.append(f"# TYPE {name} histogram")
        lines += [f'{name}_bucket{{le="{bound}"}} {self.buckets[bound]}' for bound in _BUCKETS]
        lines += [f'{name}_bucket{{le="+Inf"}} {total}']
        lines += [f"{name}_sum {self.seconds:.6f}", f"{name}_count {total}"]
        lines += ["# TYPE audioclf_workers_busy gauge", f"audioclf_workers_busy {busy}"]
        return "\n".join(lines) + "\n"


class RefusedError(Exception):
    """A request that is refused, with the status of the answer."""

    def __init__(self, status: int, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.hint = status, message, hint


@dataclass(eq=False)
class Server:
    """A model with the workers that predict."""

    model: Model
    workers: Workers
    bodies: Bodies
    counts: _Counts = field(default_factory=_Counts)

    async def predict(self, http: HttpRequest) -> Response:
        """Answer `POST /predict`."""
        started = time.perf_counter()
        try:
            answer = await self._predicted(http)
            response = Response(answer, media_type="application/json")
        except RefusedError as exc:
            response = _error(exc.status, exc.message, exc.hint)
        except ClientDisconnect:
            response = Response(status_code=400)
        self.counts.add(response.status_code, time.perf_counter() - started)
        return response

    async def _predicted(self, http: HttpRequest) -> bytes:
        settings, raw = self._read(http.query_params)
        if self.workers.waiting >= MOST_WAITING:
            raise RefusedError(503, f"{MOST_WAITING} sounds are waiting already; try again later")
        async with self._received(http) as content:
            try:
                return await self.workers.predict(Request(content, settings, raw))
            except AudioclfError as exc:
                raise RefusedError(422, exc.message, exc.hint) from exc
            except NoWorkerError as exc:
                raise RefusedError(503, "no worker can be started; try again later") from exc

    def _read(self, params: QueryParams) -> tuple[Settings, RawSamples | None]:
        try:
            given = {**params, "threshold": params.getlist("threshold")}
            query = Query.model_validate(given)
        except ValidationError as exc:
            first = exc.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise RefusedError(400, f"{where}: {first['msg']}") from exc
        if (query.encoding is None) != (query.rate is None):
            raise RefusedError(400, "raw samples need both encoding and rate, a sound file neither")
        if query.window is None and (query.hop is not None or query.events):
            raise RefusedError(400, "hop and events are about windows: give window, in s")
        try:
            gaps = {"merge_gap": query.merge_gap, "min_duration": query.min_duration}
            rule, thresholds = event_rule(self.model, query.threshold, **gaps)
            cutting = query.window and Cutting.of(query.window, query.hop, self.model.sr)
            settings = Settings(
                cutting or None, rule if query.events else None, thresholds=thresholds
            )
            check_settings(self.model, settings)
        except AudioclfError as exc:
            raise RefusedError(400, exc.message.removeprefix("--")) from exc
        raw = None
        if query.encoding is not None and query.rate is not None:
            raw = RawSamples(query.encoding, query.rate, query.channels)
        return settings, raw

    @contextlib.asynccontextmanager
    async def _received(self, http: HttpRequest) -> AsyncIterator[bytes | Path]:
        """Yield the content or the file of a sound, unless it is too much or comes too slowly."""
        length, most = http.headers.get("content-length", "0"), self.bodies.max_bytes
        try:
            if length.isascii() and length.isdigit() and int(length) > most:
                raise TooLargeError
            async with self.bodies.received(http.stream()) as content:
                if not content:
                    hint = "Send a file as the body of the request."
                    raise RefusedError(400, "no sound was sent", hint)
                yield content
        except TooLargeError:
            raise RefusedError(413, f"more than {most} bytes") from None
        except TimeoutError:
            raise RefusedError(408, "the sound was sent too slowly") from None

    async def page(self, http: HttpRequest) -> Response:
        """Answer `GET /`: a page that classifies a file or a microphone."""
        return HTMLResponse(page_of(self.model, "server"), headers=PAGE_HEADERS)

    async def describe(self, http: HttpRequest) -> Response:
        """Answer `GET /model`."""
        manifest = self.model.manifest
        return JSONResponse(
            {
                "name": manifest.name,
                "pipeline": manifest.cell,
                "classes": list(self.model.classes),
                "sample_rate": self.model.sr,
                "scores": self.model.score_name if self.model.score_kind != "none" else None,
                "thresholds": self._thresholds(),
                "clip_seconds": manifest.audio.duration,
                "audioclf": __version__,
                "manifest": manifest.model_dump(mode="json"),
            }
        )

    def _thresholds(self) -> dict[str, float] | None:
        """Return the threshold of each class; None for one label per sound."""
        several = self.model.manifest.several
        if several is None:
            return None
        return dict(zip(self.model.classes, several.thresholds, strict=True))

    async def health(self, http: HttpRequest) -> Response:
        """Answer `GET /health`."""
        return JSONResponse({"status": "ok"})

    async def metrics(self, http: HttpRequest) -> Response:
        """Answer `GET /metrics`, in the text format of Prometheus."""
        return PlainTextResponse(self.counts.text(self.workers.busy))


def make_app(server: Server, hosts: Collection[str]) -> Starlette:
    """Return the application, for requests that name one of these hosts; `*` is any."""

    async def openapi(http: HttpRequest) -> Response:
        return JSONResponse(description(server.bodies.max_bytes))

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            server.workers.close()

    return Starlette(
        routes=[
            Route("/", server.page),
            Route("/predict", server.predict, methods=["POST"]),
            Route("/model", server.describe),
            Route("/health", server.health),
            Route("/metrics", server.metrics),
            Route("/openapi.json", openapi),
        ],
        middleware=[Middleware(_Guard, hosts=hosts)],
        exception_handlers={404: _not_found, 405: _not_found},
        lifespan=lifespan,
    )


class _Guard:
    """Refuses requests under another name of this machine, or by a page of another site."""

    def __init__(self, app: Any, hosts: Collection[str]) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        refused = _refusal(scope, self.hosts) if scope["type"] == "http" else None
        await (refused or self.app)(scope, receive, send)


def _refusal(scope: Any, hosts: Collection[str]) -> Response | None:
    headers = {key: value.decode("latin-1") for key, value in scope["headers"]}
    refused = refusal(headers.get(b"host", ""), headers.get(b"origin"), hosts)
    return None if refused is None else _error(*refused)


async def _not_found(http: HttpRequest, exc: Any) -> Response:
    paths = "GET /, /model, /health, /metrics, /openapi.json and POST /predict"
    response = _error(
        exc.status_code, f"{http.method} {http.url.path} is not here; there are {paths}"
    )
    response.headers.update(exc.headers or {})  # of 405: the methods that are allowed
    return response


def _error(status: int, message: str, hint: str | None = None) -> Response:
    return JSONResponse({"error": message, "hint": hint}, status_code=status)
