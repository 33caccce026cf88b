"""Who may ask at a door, and where one is."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import cascade_nb as cs
from cascade_nb.door import folder, opening
from cascade_nb.door.answers import Process, answer
from cascade_nb.door.callers import NoAnswerError, SocketCaller, new_request
from cascade_nb.door.discovery import ask_all
from cascade_nb.door.listening import Listener, PortListener, UnixListener, listen, peer_user
from cascade_nb.door.opening import DOOR
from cascade_nb.door.protocol import encoded
from cascade_nb.door.server import AT_ONCE, Server
from tests.support.doors import Place, until

HELLO = new_request("hello", {})

#: What another user's process says at a socket.
STRANGER = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[1])
try:
    peer.sendall(b'{"v": 1, "do": "pause"}\\n')
except BrokenPipeError:
    pass  # it was refused before it had said anything
print(peer.makefile().readline())
"""


@contextmanager
def served(listener: Listener) -> Iterator[Path]:
    server = Server(listener, lambda content: answer(content, Process("script", "a test")))
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield listener.path
    finally:
        server.close()
        thread.join()


@pytest.mark.parametrize("kind", [UnixListener, PortListener])
def test_its_user_is_answered_and_nothing_is_left(here: Place, kind: type) -> None:
    path = here.folder / ("script-1.sock" if kind is UnixListener else "script-1.json")
    with served(kind(path)):
        assert path.stat().st_mode & 0o077 == 0
        caller = SocketCaller(path)
        for _ in range(20):
            assert caller.ask(HELLO)["ok"]
    assert not path.exists()
    assert not list(here.folder.glob("*.new"))


def test_another_user_is_not_answered(here: Place) -> None:
    listener = listen(here.folder)
    assert isinstance(listener, UnixListener)
    with served(listener) as path, socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(path))
        assert peer_user(peer) == os.geteuid()
        if os.geteuid() == 0:  # only then can somebody else be had
            for open_to_others in (here.folder, path):
                open_to_others.chmod(0o777)
            command = [sys.executable, "-c", STRANGER, str(path)]
            said = subprocess.run(command, capture_output=True, text=True, check=False)
            assert "user 65534 asked, who is another" in said.stdout, said.stderr
    assert not cs.status().constraints


def test_who_does_not_know_the_token_is_not_answered(here: Place) -> None:
    with served(PortListener(here.folder / "script-1.json")) as path:
        said = json.loads(path.read_text(encoding="utf-8"))
        for token in ("", "a" * 64, said["token"][:-1]):
            with socket.create_connection(("127.0.0.1", said["port"])) as peer:
                peer.sendall(f'{token}\n{{"v": 1, "do": "pause"}}\n'.encode())
                told = ""
                with contextlib.suppress(OSError):  # it may hang up before it has heard all
                    peer.shutdown(socket.SHUT_WR)
                    told = peer.makefile().readline()
            assert "did not say the token" in told or not told
        assert SocketCaller(path).ask(HELLO)["ok"]
    assert not cs.status().constraints


def test_what_a_dead_process_left_is_removed_with_a_word(here: Place) -> None:
    for listener in (
        UnixListener(here.folder / "script-1.sock"),
        PortListener(here.folder / "script-2.json"),
    ):
        listener.endpoint.close()
        with pytest.raises(NoAnswerError, match="is gone; what it left was removed"):
            SocketCaller(listener.path).ask(HELLO)
        assert not listener.path.exists()


def test_what_many_dead_processes_left_is_told_in_one_line(here: Place) -> None:
    left = [UnixListener(here.folder / f"script-{number}.sock") for number in range(5)]
    for listener in left:
        listener.endpoint.close()
    skipped: list[str] = []
    assert not ask_all([SocketCaller(listener.path) for listener in left], HELLO, skipped)
    assert skipped == ["5 processes are gone, and with them what they left"]
    assert not any(listener.path.exists() for listener in left)


@pytest.mark.parametrize("kind", [UnixListener, PortListener])
def test_many_may_ask_at_once_and_those_who_say_nothing_are_in_nobodys_way(
    here: Place, kind: type
) -> None:
    path = here.folder / ("script-1.sock" if kind is UnixListener else "script-1.json")
    with served(kind(path)), contextlib.ExitStack() as silent:
        # Each of them has said at most half of something, and none goes.
        for n in range(3 * AT_ONCE):
            peer = silent.enter_context(SocketCaller(path)._connected())
            if n % 2:
                peer.sendall(b'{"v": 1')
        failed: list[BaseException] = []

        def ask() -> None:
            try:
                for _ in range(10):
                    assert SocketCaller(path).ask(HELLO, 30.0)["ok"]
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed


def test_a_folder_that_others_could_use_is_not_used(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = here.folder / "mine"
    monkeypatch.setenv(folder.FOLDER_VARIABLE, str(mine))
    assert folder.own_folder() == mine
    assert mine.stat().st_mode & 0o777 == 0o700
    mine.chmod(0o750)
    with pytest.raises(PermissionError, match="open to others"):
        folder.own_folder()
    link = here.folder / "link"
    link.symlink_to(mine)
    monkeypatch.setenv(folder.FOLDER_VARIABLE, str(link))
    with pytest.raises(PermissionError, match="is a link"):
        folder.own_folder()
    if os.geteuid() == 0:
        os.chown(mine, 65534, 65534)
        monkeypatch.setenv(folder.FOLDER_VARIABLE, str(mine))
        with pytest.raises(PermissionError, match="is another user's"):
            folder.own_folder()


def test_a_path_that_is_too_long_for_a_socket_is_no_obstacle(here: Place) -> None:
    long = here.folder / ("x" * 100)
    long.mkdir()
    with served(listen(long)) as path:
        assert path.suffix == ".json"
        assert SocketCaller(path).ask(HELLO)["ok"]


@cs.task
def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@pytest.fixture
def doors(here: Place, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = here.folder / "doors"
    monkeypatch.setenv(folder.FOLDER_VARIABLE, str(found))
    return found


def test_a_run_that_is_over_at_once_has_no_door_and_one_that_lasts_has_one(
    doors: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(opening, "SOON", 60.0)  # how soon "at once" is, is the machine's to say
        assert cs.run(nap(0.0)) == 0.0
        DOOR.close()
    assert not doors.exists()
    go = threading.Event()
    run = cs.start(cs.task(go.wait)())
    until(lambda: len(list(doors.glob("*.sock"))) if doors.exists() else 0)
    assert SocketCaller(next(doors.glob("*.sock"))).ask(HELLO)["live"] == 1
    go.set()
    run.result()
    # It stays open for the next: who pauses a script between two of its runs is heard.
    until(lambda: SocketCaller(next(doors.glob("*.sock"))).ask(HELLO)["live"] == 0)
    DOOR.close()
    assert not list(doors.iterdir())


def test_those_who_wait_for_the_end_of_a_run_are_in_nobodys_way_and_are_told_how_it_stands(
    here: Place, doors: Path
) -> None:
    go = threading.Event()
    run = cs.start(cs.task(go.wait)().named("waits"))
    until(lambda: run.status.running)
    asked = new_request("wait", {"run": run.id, "seconds": 60.0})
    with served(listen(here.folder)) as path, contextlib.ExitStack() as stack:
        stack.callback(DOOR.close)
        stack.callback(run.result)
        stack.callback(go.set)
        waiting = [stack.enter_context(SocketCaller(path)._connected()) for _ in range(AT_ONCE)]
        for peer in waiting:
            peer.sendall(encoded(asked.as_dict()) + b"\n")
        assert SocketCaller(path).ask(HELLO)["ok"]
        told = [json.loads(peer.makefile().readline()) for peer in waiting]
        assert {one["runs"][0]["phase"] for one in told} == {"running"}
    assert not list(doors.glob("*.sock"))


def test_a_door_can_be_had_off(doors: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASCADE_DOOR", "off")
    cs.run(nap(0.3))
    assert not doors.exists()


def test_a_folder_that_cannot_be_made_is_said_and_stops_no_run(here: Place) -> None:
    (here.folder / "doors").write_text("", encoding="utf-8")
    code = """
import threading, warnings
said, show = threading.Event(), warnings.showwarning
def shown(*told):
    show(*told)
    said.set()
warnings.showwarning = shown
print(cs.run(cs.task(said.wait)(60)))
"""
    done = subprocess.run(
        [sys.executable, "-c", f"import cascade_nb as cs\n{code}"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **here.environment},
    )
    assert done.stdout == "True\n"
    assert "no terminal can reach the runs of this process" in done.stderr


def test_a_forked_child_leaves_the_parents_door_alone_and_has_its_own(here: Place) -> None:
    body = """
    run = cs.start(cs.task(time.sleep)(100))
    doors = os.environ["CASCADE_RUNTIME_DIR"]
    while not (os.path.isdir(doors) and os.listdir(doors)):
        time.sleep(0.01)
    child = os.fork()
    if child == 0:
        import threading
        go = threading.Event()
        run = cs.start(cs.task(go.wait)())
        while len(os.listdir(doors)) < 2:
            time.sleep(0.01)
        go.set()
        run.result()
        sys.exit(0)
    os.waitpid(child, 0)
    print(*os.listdir(doors), flush=True)
    time.sleep(100)
    """
    with here.script(body) as script:
        assert script.stdout is not None
        assert script.stdout.readline() == f"script-{script.pid}.sock\n"
        path = here.folder / "doors" / f"script-{script.pid}.sock"
        assert SocketCaller(path).ask(HELLO)["live"] == 1
