"""Datasets behind URLs: the same as on disk, and clear words where the network fails."""

import io
import pickle
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import fsspec
import numpy as np
import pytest
from fsspec.registry import known_implementations

from audioclf.audio.decode import decode
from audioclf.audio.settings import AudioConfig
from audioclf.base.errors import DatasetError, DecodeError, EnvironmentMissingError
from audioclf.base.limits import Limits, use_limits
from audioclf.builtin.loaders.class_folders import FolderDataset, ZipDataset
from audioclf.config.loading import load_config
from audioclf.dataset.archive import ZipMember, open_archive
from audioclf.dataset.dataset import Dataset
from audioclf.dataset.remote import display_name
from audioclf.dataset.sources import RemoteSource, ZipSource
from tests.hostile.files import Entry, wav, zip_of


class Web(ThreadingHTTPServer):
    """A web server of files in memory, which lists folders and can be told to misbehave."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.statuses: dict[str, int] = {}
        self.pages: dict[str, str] = {}
        self.etag = "one"
        self.knows_ranges = True
        self.withheld = 0
        self.log: list[tuple[str, str, int]] = []

    def requests(self, method: str = "GET") -> list[str]:
        return [path for verb, path, _ in self.log if verb == method]

    def page(self, folder: str) -> str | None:
        below = [path[len(folder) :] for path in self.files if path.startswith(folder)]
        names = {name.partition("/")[0] + ("/" if "/" in name else "") for name in below}
        links = "".join(f'<a href="{quote(name)}">x</a>' for name in sorted(names))
        return self.pages.get(folder, links) or None


class _Handler(BaseHTTPRequestHandler):
    server: Web
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if path in self.server.redirects:
            return self._send(302, b"", Location=self.server.redirects[path])
        if path in self.server.statuses:
            return self._send(self.server.statuses[path], b"")
        if path in self.server.files:
            return self._send_file(self.server.files[path])
        page = self.server.page(path.rstrip("/") + "/")
        if page is None:
            return self._send(404, b"")
        return self._send(200, page.encode(), **{"Content-Type": "text/html"})

    do_HEAD = do_GET  # noqa: N815

    def _send_file(self, data: bytes) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        headers = {"Content-Type": "application/zip", "ETag": self.server.etag}
        if asked is None or not self.server.knows_ranges:
            return self._send(200, data, **headers)
        start, stop = int(asked[1]), min(int(asked[2]) + 1, len(data))
        if start >= len(data):
            return self._send(416, b"")
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
        return self._send(206, data[start:stop], **headers)

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.server.log.append((self.command, self.path, len(body)))
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[: len(body) - self.server.withheld])
        if self.server.withheld:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


Place = Callable[[dict[str, bytes]], str]


@pytest.fixture(params=["memory", "web", "web without ranges"])
def place(request: pytest.FixtureRequest, web: Web, memory: fsspec.AbstractFileSystem) -> Place:
    """Return a function that puts files somewhere remote and returns the URL of their folder."""

    def put(files: dict[str, bytes]) -> str:
        if request.param == "memory":
            memory.pipe({f"/data/{name}": data for name, data in files.items()})
            return "memory://data"
        web.knows_ranges = request.param == "web"
        web.files = {f"/data/{name}": data for name, data in files.items()}
        return f"{web.url}/data"

    return put


def files_below(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def facts(dataset: Dataset) -> list[tuple[str, str, str, list[float]]]:
    return [
        (
            clip.id,
            clip.label,
            clip.source.digest(),
            decode(clip.source, AudioConfig(duration=0.1)).y.tolist(),
        )
        for clip in dataset
    ]


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


NAMES = ["dog/1.wav", "dog/2.wav", "cat/3.wav"]
CLIPS = {name: wav(bytes([index]) * 1000) for index, name in enumerate(NAMES)}
NOISE = np.random.default_rng(0).bytes(100_000)


def failing(url: str, loader: type[ZipDataset] | type[FolderDataset] = ZipDataset) -> str:
    with pytest.raises(DatasetError) as caught:
        loader(path=url).load()
    assert "\n" not in caught.value.message
    return caught.value.message


# The same data as on disk


def test_a_remote_folder_holds_the_same_clips(place: Place, sounds: Path) -> None:
    remote_one = FolderDataset(path=place(files_below(sounds))).load()
    assert facts(remote_one) == facts(FolderDataset(path=sounds).load())


def test_a_remote_zip_holds_the_same_clips(place: Place, sounds_zip: Path) -> None:
    url = place({"sounds.zip": sounds_zip.read_bytes()}) + "/sounds.zip"
    assert facts(ZipDataset(path=url).load()) == facts(ZipDataset(path=sounds_zip).load())


def test_names_and_junk_are_treated_as_on_disk(place: Place, tmp_path: Path) -> None:
    junk = ["cat/.x.wav", ".git/x/4.wav", "__MACOSX/dog/1.wav", "cat/Thumbs.db", "desktop.ini"]
    names = [
        *junk,
        "top/dog/1 \u00e9.wav",
        "top/dog/C#.wav",
        "top/cate\u0301/2%20.wav",
        "top/x.txt",
    ]
    files = {name: name.encode() for name in names}
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    far, near = FolderDataset(path=place(files)).load(), FolderDataset(path=tmp_path).load()
    assert [(c.id, c.label) for c in far] == [(c.id, c.label) for c in near]
    assert far.notes == near.notes
    assert [c.source.digest() for c in far] == [c.source.digest() for c in near]


def test_sources_survive_the_way_to_another_process(web: Web) -> None:
    web.files = {f"/set/{name}": data for name, data in CLIPS.items()}
    web.files["/set.zip"] = zipped(CLIPS)
    datasets = (
        FolderDataset(path=f"{web.url}/set").load(),
        ZipDataset(path=f"{web.url}/set.zip").load(),
    )
    sources = [clip.source for dataset in datasets for clip in dataset]
    code = "import pickle, sys; print(*(s.digest() for s in pickle.load(sys.stdin.buffer)))"
    done = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(sources), capture_output=True, check=True
    )
    assert done.stdout.decode().split() == [source.digest() for source in sources]


def test_clips_are_read_in_threads(place: Place) -> None:
    files = {f"{index}.wav": bytes([index]) * 5000 for index in range(20)}
    members = open_archive(place({"x.zip": zipped(files)}) + "/x.zip").members
    with ThreadPoolExecutor(4) as pool:
        read = dict(zip((m.name for m in members), pool.map(ZipMember.read, members), strict=True))
    assert read == files


def test_a_stamp_changes_with_the_file(web: Web, memory: fsspec.AbstractFileSystem) -> None:
    web.files = {"/x.wav": b"x"}
    memory.pipe("/x.wav", b"x")
    sources = [RemoteSource(f"{web.url}/x.wav"), RemoteSource("memory://x.wav")]
    before = [source.stamp() for source in sources]
    assert before == [source.stamp() for source in sources]
    web.etag = "two"
    memory.pipe("/x.wav", b"y")
    after = [source.stamp() for source in sources]
    assert None not in before
    assert not [old for old, new in zip(before, after, strict=True) if old == new]


def test_a_member_is_stamped_by_its_archive(web: Web) -> None:
    web.files = {"/x.zip": zipped(CLIPS)}
    source = ZipSource(open_archive(f"{web.url}/x.zip").members[0])
    before = source.stamp()
    web.etag = "two"
    assert source.stamp() not in {before, None}


# What is asked of the server


def test_of_a_zip_only_the_directory_and_the_wanted_clip_are_sent(web: Web) -> None:
    web.files = {"/x.zip": zipped({f"{index}.wav": NOISE for index in range(20)})}
    member = open_archive(f"{web.url}/x.zip").members[7]
    opened = len(web.log)
    assert member.read() == NOISE
    assert web.requests()[opened - 1 :] == ["/x.zip"]
    assert sum(size for verb, _, size in web.log if verb == "GET") < 2 * len(NOISE)


@pytest.mark.parametrize("name", ["a.wav", "\u732b" * 300])
def test_a_member_is_one_request_whatever_the_length_of_its_name(web: Web, name: str) -> None:
    web.files = {"/x.zip": zipped({name: NOISE})}
    (member,) = open_archive(f"{web.url}/x.zip").members
    opened = len(web.requests())
    assert member.read() == NOISE
    assert web.requests()[opened:] == ["/x.zip"]


def test_a_local_header_of_any_length_is_read(web: Web) -> None:
    info = zipfile.ZipInfo("a.wav")
    info.extra = b"\xfe\xca" + (5000).to_bytes(2, "little") + bytes(5000)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, NOISE)
    web.files = {"/x.zip": buffer.getvalue()}
    (member,) = open_archive(f"{web.url}/x.zip").members
    assert member.read() == NOISE


def test_a_server_without_ranges_sends_a_zip_once(web: Web) -> None:
    web.knows_ranges, web.files = False, {"/x.zip": zipped({"1": NOISE, "2": b"2", "3": b"3"})}
    members = open_archive(f"{web.url}/x.zip").members
    opened = len(web.log)
    assert [member.read() for member in members] == [NOISE, b"2", b"3"]
    assert web.log[opened:] == []


def test_loading_again_sees_a_new_archive_without_ranges(web: Web) -> None:
    web.knows_ranges = False
    for content in (b"old", b"new"):
        web.files = {"/x.zip": zipped({"1.wav": content})}
        assert open_archive(f"{web.url}/x.zip").members[0].read() == content


def test_redirects_are_followed(web: Web) -> None:
    web.files = {"/real.zip": zipped(CLIPS)}
    web.redirects = {"/x.zip": "/real.zip"}
    assert len(ZipDataset(path=f"{web.url}/x.zip").load()) == len(CLIPS)


def test_a_listing_that_lists_itself_ends(web: Web) -> None:
    web.files = {f"/set/{name}": data for name, data in CLIPS.items()}
    web.pages = {"/set/": '<a href="/set/">.</a><a href="?C=N">sort</a><a href="dog/">dog</a>'}
    web.pages["/set/"] += '<a href="cat/">cat</a><a href="/">up</a><a href="http://e.org/">out</a>'
    found = FolderDataset(path=f"{web.url}/set").load()
    assert [clip.id for clip in found] == sorted(NAMES)
    assert found.notes == ()


def test_a_listing_without_end_is_refused(web: Web) -> None:
    web.pages = {"/set/" + "a/" * depth: '<a href="a/">a</a>' for depth in range(50)}
    assert failing(f"{web.url}/set", FolderDataset).endswith(
        "/set: more than 32 folders deep, or 200000 entries"
    )


# What is said when it fails


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "no such file or folder"),
        (403, "no permission to read it"),
        (401, "no permission to read it"),
        (500, "the server answers with HTTP status 500"),
    ],
)
@pytest.mark.parametrize("loader", [ZipDataset, FolderDataset])
def test_a_refusal_names_the_url(
    web: Web, status: int, words: str, loader: type[ZipDataset] | type[FolderDataset]
) -> None:
    web.statuses = {"/x": status}
    assert failing(f"{web.url}/x", loader) == f"{web.url}/x: {words}"


def test_a_folder_inside_that_cannot_be_listed_is_not_passed_over(web: Web) -> None:
    web.files = {f"/set/{name}": data for name, data in CLIPS.items()}
    web.statuses = {"/set/dog": 500}
    assert "HTTP status 500" in failing(f"{web.url}/set", FolderDataset)


@pytest.mark.parametrize("loader", [ZipDataset, FolderDataset])
def test_what_is_not_there_is_named(
    memory: fsspec.AbstractFileSystem, loader: type[ZipDataset] | type[FolderDataset]
) -> None:
    assert failing("memory://gone", loader).startswith("memory://gone: no such ")


def test_a_folder_is_no_zip(memory: fsspec.AbstractFileSystem) -> None:
    memory.pipe("/data/a.wav", b"")
    assert failing("memory://data") == "memory://data: a folder, not a file"


def test_a_zip_is_no_folder(place: Place) -> None:
    url = place({"x.zip": zipped(CLIPS)}) + "/x.zip"
    assert failing(url, FolderDataset).startswith(f"{url}: no such folder, or no files in it")


def test_a_host_out_of_reach_is_named(web: Web) -> None:
    web.server_close()
    assert failing(f"{web.url}/x.zip") == f"{web.url}/x.zip: the host cannot be reached"


FAILURES = {
    "unknown protocol": ("nosuch://x.zip", "nosuch://x.zip: unknown protocol 'nosuch'"),
    "chain": ("zip://a.zip::memory://me:secret@b.zip", ": URLs with `::` are not supported"),
    "redirects": ("WEB/x.zip", "/x.zip: too many redirects"),
    "login page": ("WEB/login.zip", "archive (looks like an HTML page)"),
    "query": ("WEB/set?key=secret", "/set?...: a folder cannot be listed by a URL with a query"),
}


@pytest.mark.parametrize(("url", "words"), FAILURES.values(), ids=FAILURES)
def test_a_url_that_leads_nowhere_is_named(web: Web, url: str, words: str) -> None:
    web.redirects = {"/x.zip": "/y.zip", "/y.zip": "/x.zip"}
    web.pages = {"/login.zip/": "<html>log in</html>"}
    loader = FolderDataset if "?" in url else ZipDataset
    assert failing(url.replace("WEB", web.url), loader).endswith(words)


def test_a_package_that_a_protocol_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    far = {"class": "no_such_pkg.Far", "err": "Install farfs"}
    monkeypatch.setitem(known_implementations, "far", far)
    with pytest.raises(EnvironmentMissingError) as caught:
        ZipDataset(path="far://x.zip").load()
    assert caught.value.message == (
        "far://x.zip: protocol 'far' needs another package: Install farfs"
    )


def test_a_missing_fsspec_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(
        EnvironmentMissingError, match=r"^memory://x\.zip: reading URLs needs fsspec"
    ) as caught:
        ZipDataset(path="memory://x.zip").load()
    assert caught.value.hint == "Run: pip install fsspec"


def test_a_redirect_to_nowhere_is_refused(web: Web) -> None:
    web.statuses = {"/x.wav": 302}
    with pytest.raises(DecodeError, match=r"x\.wav: the server answers with HTTP status 302$"):
        RemoteSource(f"{web.url}/x.wav").open()


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_fewer_bytes_than_announced_are_an_error(web: Web, knows_ranges: bool) -> None:
    web.files = {"/set/a/1.wav": NOISE, "/set/b/2.wav": NOISE, "/x.zip": zipped({"1.wav": NOISE})}
    first, *_ = FolderDataset(path=f"{web.url}/set").load()
    (member,) = open_archive(f"{web.url}/x.zip").members
    web.withheld, web.knows_ranges = 7, knows_ranges
    for read in (first.source.open, first.source.digest, member.read):
        with pytest.raises(DecodeError, match=r"1\.wav: the connection ended early$"):
            read()
    assert failing(f"{web.url}/x.zip").endswith("/x.zip: the connection ended early")


def test_a_network_that_fails_later_is_an_error_of_the_clip(web: Web) -> None:
    web.files = {"/x.zip": zipped(CLIPS)}
    source = ZipDataset(path=f"{web.url}/x.zip").load().clips[0].source
    web.statuses = {"/x.zip": 503}
    for read in (source.open, source.digest, source.stamp):
        with pytest.raises(DecodeError) as caught:
            read()
        assert caught.value.message.endswith("the server answers with HTTP status 503")
        assert caught.value.message.startswith(f"{web.url}/x.zip")
    with pytest.raises(DecodeError, match=r"x\.zip!cat/3\.wav: the server answers"):
        decode(source, AudioConfig())


def test_more_bytes_than_fit_into_memory_are_refused(web: Web) -> None:
    web.knows_ranges, web.files = False, {"/x.wav": NOISE, "/x.zip": zipped({"1": NOISE})}
    words = "the server sends more than 1000 bytes at once"
    with use_limits(Limits(max_entry_bytes=1000)):
        with pytest.raises(DecodeError, match=f"x.wav: {words}"):
            RemoteSource(f"{web.url}/x.wav").open()
        assert failing(f"{web.url}/x.zip").endswith(f"/x.zip: {words}")


def test_a_remote_archive_is_refused_for_the_same_reasons(place: Place) -> None:
    leaving = zip_of(Entry(b"a/../../x.wav", b"x"))
    damaged = zipped({"1.wav": b"sound" * 50}, zipfile.ZIP_STORED).replace(b"sound", b"noise", 1)
    url = place({"leaving.zip": leaving, "damaged.zip": damaged})
    assert failing(f"{url}/leaving.zip").endswith(
        "leaving.zip!a/../../x.wav: entry leaves the archive"
    )
    with pytest.raises(DecodeError, match=r"damaged\.zip!1\.wav: damaged entry: its CRC-32"):
        open_archive(f"{url}/damaged.zip").members[0].read()


# Names and credentials


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://bucket/C#/x.zip", "s3://bucket/C#/x.zip"),
        ("ftp://me:secret@host/@x.zip", "ftp://host/@x.zip"),
        ("https://secret@host/x.zip", "https://host/x.zip"),
        ("https://me:s@cret@host:80/x.zip?sig=secret", "https://host:80/x.zip?..."),
        ("abfs://container@account/x.zip", "abfs://container@account/x.zip"),
    ],
)
def test_a_shown_url_holds_no_credentials(url: str, shown: str) -> None:
    assert display_name(url) == shown


@pytest.mark.parametrize("status", [403, 404, 500])
def test_no_refusal_shows_credentials(web: Web, status: int) -> None:
    web.statuses = {"/x.zip": status}
    check_that_nothing_is_shown(f"127.0.0.1:{web.server_port}")


@pytest.mark.parametrize("host", ["127.0.0.1:1", "127.0.0.1:99999", ""])
def test_no_failure_shows_credentials(host: str) -> None:
    check_that_nothing_is_shown(host)


def check_that_nothing_is_shown(host: str) -> None:
    url = f"http://me:secret@{host}/x.zip?signature=secret"
    source = RemoteSource(url)
    messages = [failing(url), failing(url.partition("?")[0], FolderDataset), source.name]
    for read in (source.open, source.stamp):
        with pytest.raises(DecodeError) as caught:
            read()
        messages.append(caught.value.message)
    for message in messages:
        assert "secret" not in message
        assert message.startswith(f"http://{host}/x.zip")


def test_a_dataset_is_named_without_credentials(web: Web) -> None:
    web.files = {"/x.zip": zipped(CLIPS)}
    found = ZipDataset(path=f"{web.url}/x.zip?key=secret").load()
    assert found.name == f"{web.url}/x.zip?..."
    assert found.clips[0].source.name == f"{web.url}/x.zip?...!cat/3.wav"


CONFIG = """\
dataset: {{type: zip, path: '{path}'}}
featurizers: {{mel: {{type: mel}}}}
classifiers: {{dummy: {{type: dummy}}}}
"""


@pytest.mark.parametrize(
    "url", ["s3://bucket//a~b/x.zip", "https://h/x.zip?a=1&b=/../#c", "memory://x"]
)
def test_a_url_in_a_config_stays_as_it_is(tmp_path: Path, url: str) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG.format(path=url), encoding="utf-8")
    config = load_config(tmp_path / "c.yaml")
    assert isinstance(config.dataset, ZipDataset)
    assert config.dataset.path == url
    (tmp_path / "again.yaml").write_text(config.to_yaml(), encoding="utf-8")
    assert load_config(tmp_path / "again.yaml") == config


@pytest.mark.parametrize("path", ["x.zip", "~/x.zip", "../x.zip"])
def test_a_local_path_in_a_config_stays_a_path(tmp_path: Path, path: str) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG.format(path=path), encoding="utf-8")
    config = load_config(tmp_path / "c.yaml")
    assert isinstance(config.dataset, ZipDataset)
    assert config.dataset.path == tmp_path / Path(path).expanduser()
