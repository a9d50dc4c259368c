"""`audioclf docs`: pages from the installation."""

import re

import pytest

from audioclf.starters.pages import FOLDERS, page_of, pages
from tests.conftest import REPO, run_cli


def test_the_list_has_every_page_for_users_once() -> None:
    shown = run_cli("docs", code=0).stdout
    topics = [line.split()[1] for line in shown.split("\n\n")[0].splitlines()[1:]]
    every = [path.stem for name in FOLDERS for path in (REPO / "docs" / name).glob("*.md")]
    assert sorted(topics) == sorted(stem for stem in every if stem != "README")
    assert len(set(topics)) == len(topics)


@pytest.mark.parametrize(
    ("topic", "page"),
    [
        ("loaders", "guides/loaders.md"),
        ("docs/guides/loaders.md", "guides/loaders.md"),
        ("first-config", "start/first_config.md"),
        ("svm", "reference/classifier-svm.md"),
        ("classifier-svm", "reference/classifier-svm.md"),
    ],
)
def test_a_page_is_printed_by_its_topic(topic: str, page: str) -> None:
    expected = REPO / "docs" / page
    assert run_cli("docs", topic).stdout == expected.read_text(encoding="utf-8")
    assert run_cli("docs", topic, "--path").stdout == f"{expected}\n"


def test_an_unknown_topic_is_refused_with_the_nearest() -> None:
    done = run_cli("docs", "loader", code=2)
    assert "there is no page on 'loader'\n  Did you mean 'loaders'?" in done.stderr


def test_every_page_that_a_message_names_exists() -> None:
    for path in (REPO / "src").rglob("*.py"):
        for topic in re.findall(r"`audioclf docs ([\w-]+)", path.read_text(encoding="utf-8")):
            assert page_of(topic) in pages().values(), path


def test_a_wheel_has_the_pages() -> None:
    text = (REPO / "pyproject.toml").read_text(encoding="utf-8")
    for folder in FOLDERS:
        assert f'"docs/{folder}" = "audioclf/docs/{folder}"' in text
