"""What `.with_cache` adds to a fingerprint: files, a version; and that JSON keeps its rules."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import pytest

from cascade_nb.errors import SerializationError
from cascade_nb.graph.build import build_graph
from cascade_nb.graph.fingerprint.fingerprint import fingerprints
from cascade_nb.graph.serialization.graph_reader import from_json
from cascade_nb.graph.serialization.graph_writer import to_json
from cascade_nb.model.lazy.lazy import Lazy
from cascade_nb.model.routing import Router
from cascade_nb.model.tasks.decorator import task


@task
def load(n: int = 1) -> int:
    return n


def key(target: Lazy) -> Any:
    return fingerprints(build_graph(target))[-1]


def routed(files: Any) -> Router:
    """What has no task of its own, so that its files are part of its key."""
    return Router(load(1), {1: load(2)}).with_cache(files=files)


def write(path: pathlib.Path, text: str, when: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (when, when))


def test_without_rules_nothing_changes() -> None:
    assert key(load(1)) == key(load(1).with_cache()) == key(load(1).with_cache(ttl=9))


def test_a_version_counts() -> None:
    keys = {key(load(1).with_cache(version=version)) for version in (None, "1", "2")}
    assert len(keys) == 3
    assert key(load(1).with_cache(version=1)) == key(load(1).with_cache(version="1"))


def test_a_file_counts_by_being_there_its_size_and_its_time(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "a.csv"
    lazy = routed(file)
    keys = [key(lazy)]
    for text, when in (("1", 1), ("12", 1), ("12", 2)):
        write(file, text, when)
        keys.append(key(lazy))
        assert key(lazy) == keys[-1]
    file.unlink()
    assert len(set(keys)) == 4
    assert key(lazy) == keys[0]


def test_a_glob_and_a_folder_count_by_all_that_they_lead_to(tmp_path: pathlib.Path) -> None:
    write(tmp_path / "data" / "a.csv", "1")
    glob, deep = tmp_path / "data" / "*.csv", tmp_path / "**" / "*.csv"
    lazies = [routed(f) for f in (glob, deep, tmp_path / "data")]
    before = [key(lazy) for lazy in lazies]
    assert before[0] == before[2]  # the same file, however it was named
    write(tmp_path / "data" / "in" / "b.csv", "1")
    after = [key(lazy) for lazy in lazies]
    assert [a != b for a, b in zip(before, after, strict=True)] == [False, True, True]
    write(tmp_path / "data" / "c.txt", "1")
    assert [key(lazy) for lazy in lazies[:2]] == after[:2]
    assert key(lazies[2]) != after[2]


def test_a_link_counts_by_what_it_leads_to(tmp_path: pathlib.Path) -> None:
    write(tmp_path / "real", "1")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    lazy = routed(tmp_path / "link")
    before = key(lazy)
    write(tmp_path / "real", "12")
    assert key(lazy) != before


def test_what_reads_the_node_counts_with_its_files(tmp_path: pathlib.Path) -> None:
    target = load(routed(tmp_path / "a"))
    before = key(target)
    write(tmp_path / "a", "1")
    assert key(target) != before


def test_a_version_counts_on_maps_their_items_and_routers() -> None:
    def keys(version: int) -> list[Any]:
        mapped = load.map(n=[1, 2]).with_cache(version=version)
        found = fingerprints(build_graph(mapped))
        late = found.of_items(0, [{"n": 1}])
        router = Router(load(1), {1: load(2)}).with_cache(version=version)
        return [found[0], late[0], key(router)]

    before = keys(1)
    assert before[1] != fingerprints(build_graph(load(1)))[0]
    assert all(a != b for a, b in zip(before, keys(2), strict=True))


def test_files_of_a_task_are_no_part_of_its_key_since_it_may_make_them(
    tmp_path: pathlib.Path,
) -> None:
    lazy = load(1).with_cache(files=tmp_path / "a")
    before = key(lazy)
    write(tmp_path / "a", "1")
    assert key(lazy) == before


def test_json_keeps_the_rules() -> None:
    lazy = load(1).with_cache(ttl="1d", files=["a", "b/*"], version=3, reuse=False)
    (node,) = from_json(to_json(build_graph(lazy)), tasks={"load": load}).nodes
    assert node.options.cache == lazy.options.cache
    assert not node.options.reuse


@pytest.mark.parametrize("rule", ['{"ttl": -1}', '{"files": "a"}', '{"else": 1}', "3"])
def test_json_with_impossible_rules_is_refused(rule: str) -> None:
    text = to_json(build_graph(load(1).with_cache(version="7")))
    assert '{"version": "7"}' in text
    with pytest.raises(SerializationError):
        from_json(text.replace('{"version": "7"}', rule), tasks={"load": load})
