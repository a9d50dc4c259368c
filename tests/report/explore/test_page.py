"""The page of an exploration, and that names in it stay text."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from audioclf.report.explore import map as mapped
from audioclf.report.explore.exploration import class_levels
from tests.report.explore.making import HOSTILE, explored, make_config, page_of


def part(html: str, name: str) -> Any:
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', html, re.S)
    assert found is not None
    return json.loads(found[1])


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    return page_of(explored(make_config(folder, ["cat", HOSTILE], groups=True)))


def test_each_clip_is_a_point_with_its_class_group_and_sound(html: str) -> None:
    assert html.count("<use ") == 6
    data, media = part(html, "data"), part(html, "media")
    assert data["ids"] == [f"0{code}_{n}.wav" for code in range(2) for n in range(3)]
    kinds = {each["title"]: each for each in data["colourings"]}
    assert list(kinds) == ["class", "group"]
    named = [kinds["class"]["names"][code] for code in kinds["class"]["codes"]]
    assert named == [*["cat"] * 3, *[HOSTILE] * 3]
    assert set(kinds["group"]["names"]) == {f"{HOSTILE} {n}" for n in range(3)}
    assert sorted(media) == list("012345")
    assert all(sound.startswith("data:audio/") for _, sound in media.values())


def test_the_map_says_what_it_is_and_what_it_is_not(html: str) -> None:
    words = " ".join(re.sub(r"<[^>]+>", "", html).split())
    plane = re.search(r"They explain (\d+) % of the variance: (\d+) % horizontally", words)
    assert plane is not None
    assert 0 < int(plane[2]) <= int(plane[1]) <= 100
    assert "principal components" in words
    assert "The map does not predict accuracy" in words


def test_names_are_text_and_the_page_needs_no_network(html: str) -> None:
    assert HOSTILE not in html
    assert "<b>bold" not in html
    assert "&lt;b&gt;bold&lt;/b&gt;" in html
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in html
    assert "default-src 'none'" in html


def test_without_sound_there_are_still_spectrograms_and_points(tmp_path: Path) -> None:
    html = page_of(explored(make_config(tmp_path, ["a", "b"])), sound=False)
    assert part(html, "media") == {}
    assert "data:audio/" not in html
    assert "The page was made without sound" in html
    assert html.count("<use ") == 6
    assert 'alt="Mean spectrogram of a"' in html


def test_a_small_budget_is_shared_by_the_classes(tmp_path: Path) -> None:
    found = explored(make_config(tmp_path, ["a", "b", "c"], each=4))
    html = page_of(found, budget_mb=0.02)
    playable = [part(html, "data")["ids"][int(at)] for at in part(html, "media")]
    assert 3 <= len(playable) < 12
    counts = [sum(name.startswith(f"0{code}_") for name in playable) for code in range(3)]
    assert max(counts) - min(counts) <= 1
    assert f"The page contains the sound of {len(playable)} clips" in html


def test_more_clips_than_are_drawn_are_drawn_fairly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped, "MAX_DRAWN", 6)
    found = explored(make_config(tmp_path, ["a", "b", "c"], each=5))
    html = page_of(found)
    codes = part(html, "data")["colourings"][0]["codes"]
    assert sorted(codes) == [0, 0, 1, 1, 2, 2]
    assert part(html, "data")["colourings"][0]["counts"] == [5, 5, 5]
    assert "6 of 15 clips are drawn, evenly from each class" in html


def test_fifty_classes_have_marks_of_their_own(tmp_path: Path) -> None:
    labels = [f"species {n:02d} with a long name {'x' * 40}" for n in range(50)]
    html = page_of(explored(make_config(tmp_path, labels, each=1)), sound=False)
    marks = re.findall(r'<use href="(#s\d)" x="[\d.]+" y="[\d.]+" class="p (k\d)', html)
    assert len(set(marks)) == 50
    assert "The first 24 of 50 classes" in html


def test_levels_stand_in_a_table_by_class(html: str) -> None:
    rows = re.findall(r'<tr><th scope="row" title="cat"><bdi>cat</bdi></th>(.*?)</tr>', html, re.S)
    pipelines = re.findall(r"<td[^>]*data-v=\"([^\"]*)\"", rows[0])
    clips, groups, seconds, level, peak = map(float, pipelines[:5])
    assert (clips, groups) == (3, 3)
    assert seconds == pytest.approx(0.15)
    assert -14 < level < -9
    assert level < peak < -4


def test_several_labels_have_states_and_classes_in_one_clip(tmp_path: Path) -> None:
    path = make_config(tmp_path, ["wren;robin", "?owl;robin", "owl", "wren;" + HOSTILE, ""])
    path.write_text(path.read_text().replace("labels.jsonl", "labels.jsonl, labels: several"))
    found = explored(path)
    html = page_of(found)
    assert [row.clips for row in class_levels(found)] == [3, 3, 6, 6]
    kinds = {each["title"]: each for each in part(html, "data")["colourings"]}
    assert dict(zip(kinds["classes"]["names"], kinds["classes"]["counts"], strict=True)) == {
        f"{HOSTILE} + wren": 3,
        "no class": 3,
        "owl": 3,
        "robin": 3,
        "robin + wren": 3,
    }
    assert kinds["class owl"]["names"] == ["no", "not labelled", "yes"]
    assert kinds["class owl"]["counts"] == [9, 3, 3]
    words = " ".join(re.sub(r"<[^>]+>", " ", html).split())
    assert "3 of 15 clips have none of the classes" in words
    assert "owl 3 9 3" in words  # yes, no, not labelled
    assert "robin 0 0 6 3" in words  # with each class, sorted by name
    assert HOSTILE not in html


def test_sets_of_labels_in_excess_share_a_colour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped, "_MAX_SETS", 2)
    path = make_config(tmp_path, ["a", "b", "a;b", "c"], each=2)
    path.write_text(path.read_text().replace("labels.jsonl", "labels.jsonl, labels: several"))
    found = explored(path)
    first, *others = mapped.colourings_of(found, range(8))
    assert first.names == ("a", "b", "other sets of classes")
    assert first.counts == (2, 2, 4)
    assert [each.title for each in others] == ["class a", "class b"]
