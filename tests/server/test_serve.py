"""`audioclf serve`: a model over HTTP, and the page to try it in a real browser."""

import asyncio
import http.client
import importlib.util
import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import soundfile

from audioclf.base.errors import DecodeError
from audioclf.models.bundle.reading import load
from audioclf.predict.settings import Settings
from audioclf.server.body import Bodies, TooLargeError
from tests.conftest import REPO, run_cli, write_wav
from tests.models.making import made
from tests.predict.making import noise
from tests.report.test_browser import started_browser

uvicorn = pytest.importorskip("uvicorn", reason="the extra serve is not installed")
pytestmark = pytest.mark.slow

SR = 8000
MAX_BYTES = 200_000


@dataclass
class Served:
    bundle: Path
    host: str
    port: int

    def ask(
        self, path: str, body: bytes | Iterator[bytes] | None = None, **headers: str
    ) -> tuple[int, Any]:
        url = f"http://{self.host}:{self.port}{path}"
        request = urllib.request.Request(url, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, content = answer.status, answer.read()
        except urllib.error.HTTPError as exc:
            status, content = exc.code, exc.read()
        return status, json.loads(content) if content[:1] == b"{" else content.decode()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    bundle = made(tmp_path_factory.mktemp("model") / "m.audioclf")
    command = [sys.executable, "-m", "audioclf", "serve", str(bundle), "--port", "0"]
    options = ["--workers", "2", "--max-bytes", str(MAX_BYTES)]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "http://" in line)
        match = re.search(r"http://([\d.]+):(\d+)/", line)
        assert match is not None
        yield Served(bundle, match[1], int(match[2]))
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


@pytest.fixture
def sound(tmp_path: Path) -> bytes:
    return write_wav(tmp_path / "a.wav", noise(1.0), SR).read_bytes()


def test_a_file_and_raw_samples_get_the_scores_of_the_model(served: Served, sound: bytes) -> None:
    model = load(served.bundle)
    expected = model.scores(np.frombuffer(sound[44:], "<i2"), sr=SR)
    for path, body in (("/predict", sound), ("/predict?encoding=s16&rate=8000", sound[44:])):
        status, answer = served.ask(path, body)
        assert status == 200
        (window,) = answer["windows"]
        assert list(window["scores"].values()) == pytest.approx(expected, abs=1e-6)
        assert window["label"] == model.classes[int(expected.argmax())]
        assert (answer["sample_rate"], answer["seconds"]) == (SR, 1.0)


def test_windows_and_events_are_those_of_predict(
    served: Served, sound: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "b.wav"
    path.write_bytes(sound)
    _, answer = served.ask("/predict?window=0.3&hop=0.1&events=true&merge_gap=0.2", sound)
    options = ["--window", "0.3", "--hop", "0.1", "--format", "jsonl"]
    windows = run_cli("predict", served.bundle, path, *options, code=0).stdout.splitlines()
    scores = [[w["start"], w["end"], *w["scores"].values()] for w in answer["windows"]]
    lines = [json.loads(line) for line in windows]
    assert scores == [[w["start"], w["end"], w["score_barbie"], w["score_ken"]] for w in lines]
    options += ["--events", "--merge-gap", "0.2"]
    events = run_cli("predict", served.bundle, path, *options, code=0).stdout.splitlines()
    expected = [json.loads(line) for line in events]
    assert [{**event, "path": str(path)} for event in answer["events"]] == expected


def test_many_clients_get_their_own_answers(served: Served, tmp_path: Path) -> None:
    sounds = [
        write_wav(tmp_path / f"{n}.wav", noise(0.2 + 0.05 * n, seed=n), SR) for n in range(12)
    ]

    def seconds(path: Path) -> float:
        return float(served.ask("/predict", path.read_bytes())[1]["seconds"])

    with ThreadPoolExecutor(12) as clients:
        answers = list(clients.map(seconds, sounds))
    assert answers == [soundfile.info(path).duration for path in sounds]


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/predict", b"", 400, "no sound was sent"),
        ("/predict", b"hello, this is text", 422, "looks like text"),
        ("/predict", b"\0" * (MAX_BYTES + 1), 413, f"more than {MAX_BYTES} bytes"),
        ("/predict?window=-1", b"x", 400, "window: Input should be greater than 0"),
        ("/predict?events=true", b"x", 400, "hop and events are about windows"),
        ("/predict?windw=1", b"x", 400, "windw: Extra inputs are not permitted"),
        ("/predict?encoding=s16", b"x", 400, "both encoding and rate"),
        ("/predict?encoding=s16&rate=8000", b"xyz", 422, "3 bytes are no whole number of frames"),
        ("/predictions", None, 404, "GET /predictions is not here"),
    ],
)
def test_a_bad_request_gets_a_sentence(
    served: Served, path: str, body: bytes | None, status: int, message: str
) -> None:
    answered, answer = served.ask(path, body)
    assert answered == status
    assert message in answer["error"]


def test_too_much_sound_without_a_stated_length_is_refused(served: Served) -> None:
    chunks = iter([b"\0" * MAX_BYTES, b"\0"])
    status, answer = served.ask("/predict", chunks, **{"Transfer-Encoding": "chunked"})
    assert (status, answer["error"]) == (413, f"more than {MAX_BYTES} bytes")


@pytest.mark.parametrize(
    ("headers", "status"), [({"Host": "example.org"}, 400), ({"Origin": "http://example.org"}, 403)]
)
def test_other_sites_are_refused(
    served: Served, headers: dict[str, str], status: int, sound: bytes
) -> None:
    for path, body in (("/model", None), ("/predict", sound)):
        assert served.ask(path, body, **headers)[0] == status
    own = f"http://{served.host}:{served.port}"
    assert served.ask("/model", Origin=own)[0] == 200


def test_slow_clients_keep_no_other_waiting(served: Served, sound: bytes) -> None:
    slow = []
    for _ in range(200):
        client = socket.create_connection((served.host, served.port))
        client.send(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx")
        slow.append(client)
    assert served.ask("/predict", sound)[0] == 200
    for client in slow:
        client.close()
    assert served.ask("/health") == (200, {"status": "ok"})


def test_a_connection_that_stays_open_waits_for_no_acknowledgement(served: Served) -> None:
    def answered(server: Any, sockets: list[socket.socket]) -> None:
        (opened,) = sockets
        with closing(socket.create_connection(opened.getsockname())), opened.accept()[0] as own:
            assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        raise KeyboardInterrupt

    with (
        mock.patch("uvicorn.Server.run", answered),
        mock.patch("audioclf.server.workers.Workers._new"),
    ):
        run_cli("serve", served.bundle, "--port", "0", code=0)


@pytest.mark.parametrize(("most", "in_memory"), [(64, True), (1, False)])
def test_bodies_are_in_memory_while_they_are_few_and_small(most: int, in_memory: bool) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for content in (b"ab", b"", b"cd"):
            yield content

    async def all_of_them() -> None:
        bodies = Bodies(4)
        async with bodies.received(chunks()) as first, bodies.received(chunks()) as second:
            assert first == b"abcd"
            assert isinstance(second, bytes) is in_memory
            content = second if isinstance(second, bytes) else second.read_bytes()
            assert content == b"abcd"
        assert bodies.count == 0
        assert isinstance(second, bytes) or not second.exists()
        with pytest.raises(TooLargeError):
            async with Bodies(3).received(chunks()):
                pass

    with mock.patch("audioclf.server.body._MOST_IN_MEMORY", most):
        asyncio.run(all_of_them())


@pytest.mark.parametrize("limit", ["_SECONDS", "_CHUNK_SECONDS"])
def test_a_body_that_comes_too_slowly_is_refused(limit: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield b"a"
            await asyncio.sleep(0.01 if limit == "_SECONDS" else 60)

    async def receive() -> None:
        async with Bodies(1 << 20).received(chunks()):
            pass

    with mock.patch(f"audioclf.server.body.{limit}", 0.05), pytest.raises(TimeoutError):
        asyncio.run(receive())


_HEAD = b"GET / HTTP/1.1\r\nHost: a"


@pytest.mark.parametrize(
    "sent", [b"", _HEAD, _HEAD + b"\r\n\r\n" + _HEAD], ids=["nothing", "a part", "another part"]
)
def test_a_client_has_to_send_the_head_of_each_request_in_time(sent: bytes) -> None:
    from uvicorn.server import ServerState

    from audioclf.server.connection import Connection

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.8)  # an answer may take longer than the head of a request
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def talk() -> bytes:
        config = uvicorn.Config(app, http=Connection, lifespan="off", log_level="error")
        config.load()
        state, loop = ServerState(), asyncio.get_running_loop()
        opened = await loop.create_server(lambda: Connection(config, state, {}), "127.0.0.1", 0)
        async with opened, asyncio.timeout(30):
            client = socket.create_connection(opened.sockets[0].getsockname())
            client.sendall(sent)  # before the server begins to wait, however slow the machine is
            reader, writer = await asyncio.open_connection(sock=client)
            received = asyncio.ensure_future(reader.read())
            while not received.done():
                writer.write(b"a" if sent else b"")  # a byte of the head now and then
                await asyncio.sleep(0.02)
            writer.close()
            return received.result()

    with mock.patch("audioclf.server.connection.SECONDS", 0.6):
        answer = asyncio.run(talk())
    assert answer[:12] == (b"HTTP/1.1 204" if sent.count(b"GET") > 1 else b"")


def test_the_model_its_numbers_and_its_description(served: Served) -> None:
    assert served.ask("/model")[1]["classes"] == ["barbie", "ken"]
    served.ask("/predict", b"no sound")
    numbers = served.ask("/metrics")[1]
    assert re.search(r'^audioclf_predictions_total\{status="422"\} \d+$', numbers, re.MULTILINE)
    described = served.ask("/openapi.json")[1]
    for path, methods in described["paths"].items():
        if "get" in methods:
            assert served.ask(path)[0] == 200
    names = {each["name"] for each in described["paths"]["/predict"]["post"]["parameters"]}
    assert {"window", "hop", "events", "encoding", "rate"} <= names


def test_a_sound_that_ends_its_worker_costs_one_request(tmp_path: Path) -> None:
    from audioclf.server.workers import NoWorkerError, Request, Workers

    content = write_wav(tmp_path / "a.wav", noise(1.0), SR).read_bytes()
    workers = Workers(load(made(tmp_path / "m.audioclf")), 1, 1e-6)

    async def ask() -> Any:
        return json.loads(await workers.predict(Request(content, Settings())))

    async def all_of_them() -> None:
        with pytest.raises(DecodeError, match="took longer than 1e-06 s"):
            await ask()
        workers.seconds = 60.0
        assert (await ask())["seconds"] == 1.0
        task = asyncio.create_task(ask())
        while not workers.busy:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        (cancelled,) = workers._workers
        with mock.patch("audioclf.server.workers.Worker", side_effect=OSError):
            for _ in range(2):
                with pytest.raises(NoWorkerError):
                    await ask()
        assert cancelled._answers.closed
        assert (await ask())["seconds"] == 1.0
        assert (workers.busy, workers.waiting) == (0, 0)

    try:
        asyncio.run(all_of_them())
    finally:
        workers.close()


def test_a_port_that_is_taken_is_named(served: Served) -> None:
    done = run_cli("serve", served.bundle, "--port", str(served.port), code=6)
    assert f"cannot listen at 127.0.0.1 port {served.port}: Address already in use" in done.stderr


def test_the_page_classifies_a_file_and_a_microphone(served: Served, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", noise(3.0), SR)
    microphone = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={path}",
    )
    with started_browser(tmp_path / "profile", *microphone) as browser:
        browser.get(f"http://{served.host}:{served.port}/")

        def shown(name: str, pattern: str) -> str:
            deadline = time.monotonic() + 60
            while not re.search(pattern, text := browser.find_element("id", name).text):
                assert time.monotonic() < deadline, text
                time.sleep(0.1)
            return str(text)

        browser.find_element("id", "file").send_keys(str(path))
        shown("label", r"^(barbie|ken) in \d+ of 9 windows$")
        assert re.search("barbie\nken", shown("legend", "ken"))
        browser.find_element("id", "mic").click()
        shown("label", r"^(barbie|ken) \((score|probability) [01]\.\d{3}\)$")
        browser.find_element("id", "mic").click()
        browser.find_element("id", "file").send_keys(str(Path(__file__)))
        shown("error", "looks like text")
        problems = [entry["message"] for entry in browser.get_log("browser")]
    assert [text for text in problems if "422" not in text] == []


def test_the_commands_of_the_container_suit_the_server(served: Served, tmp_path: Path) -> None:
    lines = (REPO / "Dockerfile").read_text(encoding="utf-8").splitlines()
    commands = [json.loads(line[line.index("[") :]) for line in lines if '["' in line]
    health, entry, (_, *options) = commands
    code = health[-1].replace(":8000/", f":{served.port}/")
    subprocess.run([sys.executable, *health[1:-1], code], check=True)
    done = run_cli(*entry[1:], tmp_path / "no.audioclf", *options)
    assert "no.audioclf: there is no such file" in done.stderr


def test_requests_made_from_its_description_get_described_answers(
    served: Served, tmp_path: Path
) -> None:
    if importlib.util.find_spec("schemathesis") is None:
        pytest.skip("schemathesis is not installed")
    url = f"http://{served.host}:{served.port}/openapi.json"
    options = ["--max-examples", "30", "--seed", "1", "--continue-on-failure"]
    # Bytes that fit the description are not always a sound.
    options += ["--exclude-checks", "positive_data_acceptance"]
    program = Path(sys.executable).with_name("schemathesis")
    done = subprocess.run(
        [program, "run", url, *options], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("DELETE", "/health", {"GET", "HEAD"}), ("GET", "/predict", {"POST"})],
)
def test_other_methods_are_refused_with_those_allowed(
    served: Served, method: str, path: str, allowed: set[str]
) -> None:
    with closing(http.client.HTTPConnection(served.host, served.port)) as connection:
        connection.request(method, path)
        answer = connection.getresponse()
        answer.read()
    assert answer.status == 405
    assert set(str(answer.headers["Allow"]).split(", ")) == allowed
