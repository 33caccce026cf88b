"""What is read of the memory, of a machine and of control groups of both versions."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from cascade_nb.control.gate_kinds.machine_memory import Reading, read_memory, users_of_memory

MB = 1 << 20


def machine(root: Path, total: int, available: int, groups: str = "") -> Path:
    """A folder that looks like `/` as far as memory goes."""
    (root / "proc/self").mkdir(parents=True)
    lines = f"MemTotal: {total * 1024} kB\nMemFree: 1 kB\nMemAvailable: {available * 1024} kB\n"
    (root / "proc/meminfo").write_text(lines)
    (root / "proc/self/cgroup").write_text(groups)
    return root


def group(root: Path, path: str, files: dict[str, str]) -> None:
    folder = root / "sys/fs/cgroup" / path
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def second(most: str, used: int, cache: int) -> dict[str, str]:
    stat = f"anon 1\ninactive_file {cache * MB}\n"
    return {"memory.max": most, "memory.current": f"{used * MB}\n", "memory.stat": stat}


def test_of_this_machine_it_is_what_others_read() -> None:
    ours, theirs = read_memory(), psutil.virtual_memory()
    if ours.where == "the machine":
        assert ours.total == theirs.total
        assert abs(ours.fraction - theirs.percent / 100) < 0.05
    assert 0 < ours.fraction < 1
    mine = next(user for user in users_of_memory() if user.pid == os.getpid())
    assert abs(mine.size - psutil.Process().memory_info().rss) < 50 * MB


def test_a_machine_without_groups_is_what_counts(tmp_path: Path) -> None:
    root = machine(tmp_path, 1000, 400)
    assert read_memory(str(root)) == Reading(600 * MB, 1000 * MB, "the machine")
    (root / "proc/self/cgroup").unlink()
    assert read_memory(str(root)).fraction == 0.6


@pytest.mark.parametrize("mounted", ["", "unified/"])
def test_a_group_of_the_second_version_counts_without_its_cache(
    tmp_path: Path, mounted: str
) -> None:
    root = machine(tmp_path, 1000, 900, "0::/user/job\n")
    group(root, f"{mounted}user/job", second("max\n", 300, 0))
    group(root, f"{mounted}user", second(f"{400 * MB}\n", 350, 50))
    assert read_memory(str(root)) == Reading(300 * MB, 400 * MB, "the control group")


def test_inside_of_a_container_its_own_group_stands_at_the_top(tmp_path: Path) -> None:
    root = machine(tmp_path, 1000, 900, "0::/../../other/place\n")
    group(root, "", second(f"{200 * MB}", 150, 0))
    assert read_memory(str(root)).fraction == 0.75


def test_a_group_of_the_first_version_counts_without_its_cache(tmp_path: Path) -> None:
    lines = "12:cpu,cpuacct:/x\n11:memory:/docker/abc\n0::/\n"
    root = machine(tmp_path, 1000, 900, lines)
    files = {
        "memory.limit_in_bytes": f"{400 * MB}",
        "memory.usage_in_bytes": f"{380 * MB}",
        "memory.stat": f"cache 1\ntotal_inactive_file {80 * MB}\n",
    }
    group(root, "memory", files)
    assert read_memory(str(root)) == Reading(300 * MB, 400 * MB, "the control group")


def test_a_group_that_allows_more_than_there_is_does_not_count(tmp_path: Path) -> None:
    root = machine(tmp_path, 1000, 900, "4:memory:/\n")
    files = {"memory.limit_in_bytes": "9223372036854771712", "memory.usage_in_bytes": f"{MB}"}
    group(root, "memory", {**files, "memory.stat": ""})
    assert read_memory(str(root)).where == "the machine"


def test_what_says_nothing_of_memory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="meminfo"):
        read_memory(str(tmp_path))
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 3 kB\n")
    with pytest.raises(OSError, match="does not say how much"):
        read_memory(str(tmp_path))
