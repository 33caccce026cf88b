"""The key of a user: made once, whoever asks first, and of use to nobody else."""

from __future__ import annotations

import errno
import os
import pathlib
import stat
import subprocess
import sys
import threading
from typing import Any

import pytest

from cascade_nb.errors import StateError
from cascade_nb.state.keyring import key_path, user_key


@pytest.fixture(autouse=True)
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A home folder with nothing in it."""
    for name in ("CASCADE_KEY_FILE", "XDG_DATA_HOME", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def key_file(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Where the key will be."""
    path = home / "keys" / "key"
    monkeypatch.setenv("CASCADE_KEY_FILE", str(path))
    return path


def mode(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_is_made_once_and_stays(key_file: pathlib.Path) -> None:
    key = user_key()
    assert type(key) is bytes
    assert len(key) == 32
    assert user_key() == key == key_file.read_bytes()
    assert [path.name for path in key_file.parent.iterdir()] == ["key"]


def test_every_user_has_another_key(key_file: pathlib.Path) -> None:
    key = user_key()
    key_file.unlink()
    assert user_key() != key


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_nobody_else_can_read_it(key_file: pathlib.Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        user_key()
    finally:
        os.umask(before)
    assert mode(key_file) == 0o600
    assert mode(key_file.parent) == 0o700


def test_it_lies_where_programs_of_this_system_keep_their_data(
    home: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert key_path() == home / ".local" / "share" / "cascade_nb" / "key"
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    assert key_path() == home / "data" / "cascade_nb" / "key"
    monkeypatch.setenv("XDG_DATA_HOME", "relative/data")  # the specification has it passed over
    assert key_path() == home / ".local" / "share" / "cascade_nb" / "key"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert key_path() == home / "Library" / "Application Support" / "cascade_nb" / "key"
    monkeypatch.setattr(sys, "platform", "win32")
    assert key_path() == home / "AppData" / "Roaming" / "cascade_nb" / "key"
    monkeypatch.setenv("APPDATA", str(home / "roaming"))
    assert key_path() == home / "roaming" / "cascade_nb" / "key"


def test_the_default_place_is_made_too(home: pathlib.Path) -> None:
    user_key()
    assert mode(key_path()) == 0o600
    assert mode(key_path().parent) == 0o700


def test_the_variable_names_another_place(
    home: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASCADE_KEY_FILE", "~/mine")
    assert key_path() == home / "mine"
    monkeypatch.chdir(home)
    monkeypatch.setenv("CASCADE_KEY_FILE", "here")
    assert key_path() == home / "here"
    default = home / ".local" / "share" / "cascade_nb" / "key"
    monkeypatch.setenv("CASCADE_KEY_FILE", "")
    assert key_path() == default


def test_a_user_without_a_home_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> None:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(pathlib.Path, "home", no_home)
    with pytest.raises(StateError, match=r"no home folder.*set CASCADE_KEY_FILE"):
        user_key()


def test_threads_that_ask_first_at_once_are_given_one_key(key_file: pathlib.Path) -> None:
    count = 16
    gate = threading.Barrier(count)
    keys: list[bytes] = []

    def ask() -> None:
        gate.wait()
        keys.append(user_key())

    for _ in range(10):
        keys.clear()
        threads = [threading.Thread(target=ask) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(keys) == count
        assert set(keys) == {key_file.read_bytes()}
        assert len(list(key_file.parent.iterdir())) == 1
        key_file.unlink()


ASKS = """
import sys
from cascade_nb.state.keyring import user_key
print("ready", flush=True)
sys.stdin.readline()
print(user_key().hex())
"""


def test_processes_that_ask_first_at_once_are_given_one_key(key_file: pathlib.Path) -> None:
    command = [sys.executable, "-c", ASKS]
    asking = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    for process in asking:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in asking:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    keys = [process.communicate(timeout=60)[0].strip() for process in asking]
    assert set(keys) == {key_file.read_bytes().hex()}


def test_who_comes_second_takes_the_key_of_the_first(
    key_file: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # between the look that found none and the link, another process has put its key there
    link = os.link

    def slow_link(draft: Any, path: Any) -> None:
        key_file.touch(0o600)
        key_file.write_bytes(b"1" * 32)
        link(draft, path)

    monkeypatch.setattr(os, "link", slow_link)
    assert user_key() == b"1" * 32
    assert [path.name for path in key_file.parent.iterdir()] == ["key"]


@pytest.mark.parametrize("open_to", [0o640, 0o604, 0o620, 0o602, 0o610, 0o777])
def test_a_key_that_others_can_use_is_refused(key_file: pathlib.Path, open_to: int) -> None:
    key = user_key()
    key_file.chmod(open_to)
    with pytest.raises(StateError, match=f"others can use.*{open_to:04o}.*chmod 600") as caught:
        user_key()
    assert str(key_file) in str(caught.value)
    key_file.chmod(0o400)
    assert user_key() == key


@pytest.mark.parametrize("size", [0, 31, 33, 5000])
def test_a_file_of_another_size_is_no_key_and_stays_as_it_is(
    key_file: pathlib.Path, size: int
) -> None:
    key_file.parent.mkdir()
    key_file.touch(0o600)
    key_file.write_bytes(b"k" * size)
    with pytest.raises(StateError, match=f"has {size} bytes instead of 32.*delete it"):
        user_key()
    assert key_file.stat().st_size == size


def test_what_is_no_file_is_refused_and_not_waited_for(key_file: pathlib.Path) -> None:
    key_file.mkdir(parents=True, mode=0o700)
    with pytest.raises(StateError, match="CASCADE_KEY_FILE"):
        user_key()
    key_file.rmdir()
    os.mkfifo(key_file, 0o600)  # to open it for reading would last until somebody writes
    with pytest.raises(StateError, match="is no file"):
        user_key()


def test_a_folder_that_cannot_be_made_is_said_with_advice(
    home: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").touch()
    monkeypatch.setenv("CASCADE_KEY_FILE", str(home / "file" / "key"))
    with pytest.raises(StateError, match=r"cannot be made or read: Not a directory.*CASCADE_KEY_F"):
        user_key()
    monkeypatch.setenv("CASCADE_KEY_FILE", str(home / "file" / "deep" / "er" / "key"))
    with pytest.raises(StateError, match=r"cannot be made or read: Not a directory.*CASCADE_KEY_F"):
        user_key()


@pytest.mark.parametrize(
    ("where", "call", "number", "words"),
    [
        (os, "open", errno.EACCES, "Permission denied"),
        (pathlib.Path, "mkdir", errno.EROFS, "Read-only file system"),
        (os, "fsync", errno.ENOSPC, "No space left on device"),
        (os, "link", errno.EPERM, "its disk has no links"),
        (os, "link", errno.EOPNOTSUPP, "its disk has no links"),
        (os, "link", errno.EDQUOT, os.strerror(errno.EDQUOT)),
    ],
)
def test_a_disk_that_refuses_is_said_with_advice_and_leaves_nothing(
    key_file: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    where: Any,
    call: str,
    number: int,
    words: str,
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(where, call, refuse)
        with pytest.raises(StateError, match=rf"{words}.*; mend that, or set CASCADE_KEY_FILE"):
            user_key()
    assert not key_file.parent.exists() or list(key_file.parent.iterdir()) == []
    assert len(user_key()) == 32  # when the trouble is over
