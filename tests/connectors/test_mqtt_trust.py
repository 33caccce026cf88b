"""A broker that is not the one that it should be is refused, one that lets us not in is said, and
no secret is told.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import pickle
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import cascade_nb as cs
from cascade_nb.connectors import MqttConnector
from cascade_nb.engine import Engine
from cascade_nb.engine.runs import connector_supervisor as link
from cascade_nb.errors import UsageError
from cascade_nb.events import ConnectorConnected, ConnectorDisconnected, ConstraintApplied
from cascade_nb.testing import MqttControllerApp, SpySubscriber
from tests.connectors.mqtt_tools import Listener, engine_on
from tests.engine.tools import Hold, until
from tests.support.certificates import Certificates
from tests.support.mosquitto import Mosquitto

SECRET = "xyzzy-open-sesame"
PAST, FUTURE, LATER = (dt.datetime(y, 1, 1, tzinfo=dt.timezone.utc) for y in (2020, 2100, 2101))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "PATIENCE", 0.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def certificates(folder: Path) -> Certificates:
    return Certificates(folder)


@cs.task
async def give(x: Any) -> Any:
    return x


def over_tls(broker: Mosquitto) -> str:
    return f"mqtts://localhost:{broker.port}"


async def refused(connector: MqttConnector) -> str:
    """What it says when it does not connect."""
    with pytest.raises(OSError, match=r"mqtts?://") as error:
        await connector.connect()
    assert SECRET not in str(error.value)
    return f"{type(error.value).__name__}: {error.value}"


async def test_a_broker_with_the_right_certificate_is_spoken_to(certificates: Certificates) -> None:
    with Mosquitto.start(*certificates.server("good", "localhost")) as broker:
        url, ca = over_tls(broker), certificates.ca
        async with engine_on(url, ca=ca) as (engine, spy), MqttControllerApp(url, ca=ca) as app:
            await app.pause("task:give")
            run = engine.start(give(1))
            await until(lambda: run.status.held)
            await app.resume("task:give")
            assert await run == 1
            assert spy.events_of_type(ConnectorConnected)


@pytest.mark.parametrize(
    ("name", "host", "since", "until_", "words"),
    [
        ("expired", "localhost", None, PAST, "certificate has expired"),
        ("early", "localhost", FUTURE, LATER, "certificate is not yet valid"),
        ("elsewhere", "broker.invalid", None, None, "mismatch"),
    ],
)
async def test_a_certificate_that_is_over_or_to_come_or_anothers_is_refused(
    certificates: Certificates,
    name: str,
    host: str,
    since: dt.datetime | None,
    until_: dt.datetime | None,
    words: str,
) -> None:
    with Mosquitto.start(*certificates.server(name, host, since=since, until=until_)) as broker:
        said = await refused(MqttConnector(over_tls(broker), ca=certificates.ca))
        assert "its certificate is not trusted" in said
        assert words in said
        assert "\n" not in said


async def test_a_certificate_of_another_authority_is_refused(
    certificates: Certificates, tmp_path: Path
) -> None:
    other = Certificates(tmp_path)
    with Mosquitto.start(*other.server("other", "localhost")) as broker:
        # neither by the authority that was named nor by those of the system
        for ca in (certificates.ca, None):
            said = await refused(MqttConnector(over_tls(broker), ca=ca))
            assert "its certificate is not trusted" in said


async def test_a_certificate_that_signed_itself_is_refused(tmp_path: Path) -> None:
    import trustme

    itself = trustme.CA()
    key, chain = tmp_path / "key", tmp_path / "pem"
    itself.private_key_pem.write_to_path(str(key))
    itself.cert_pem.write_to_path(str(chain))
    with Mosquitto.start(f"certfile {chain}", f"keyfile {key}") as broker:
        said = await refused(MqttConnector(over_tls(broker)))
        assert "its certificate is not trusted" in said
        assert "self" in said


async def test_a_plain_port_is_no_port_for_tls_and_the_other_way_round(
    certificates: Certificates,
) -> None:
    with Mosquitto.start() as broker:
        said = await refused(MqttConnector(over_tls(broker), ca=certificates.ca))
        assert "TLS" in said or "closed" in said
    with Mosquitto.start(*certificates.server("tls", "localhost")) as broker:
        said = await refused(MqttConnector(broker.url))
        assert "hung up before it answered" in said


async def test_a_broker_may_ask_for_a_certificate_of_this_end(certificates: Certificates) -> None:
    options = [*certificates.server("strict", "localhost"), f"cafile {certificates.ca}"]
    with Mosquitto.start(*options, "require_certificate true") as broker:
        await refused(MqttConnector(over_tls(broker), ca=certificates.ca))
        certificate, key = certificates.client("me")
        ours: dict[str, Any] = {"ca": certificates.ca, "certificate": certificate, "key": key}
        connector = MqttConnector(over_tls(broker), **ours)
        await connector.connect()
        await connector.publish("t", b"x")
        await connector.disconnect()
        url = f"{over_tls(broker)}?ca={certificates.ca}&certificate={certificate}&key={key}"
        connector = MqttConnector(url)
        await connector.connect()
        await connector.disconnect()


async def test_certificates_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    noise = tmp_path / "noise"
    noise.write_text("no certificate")
    for ca in (noise, tmp_path / "missing"):
        with pytest.raises(UsageError, match="cannot be used"):
            await MqttConnector("mqtts://localhost", ca=ca).connect()


@contextlib.contextmanager
def guarded(folder: Path, *acl: str) -> Iterator[Mosquitto]:
    """A broker that lets in `ann` with the secret, who may do what the lines of `acl` say, and
    `root`, who may do everything.
    """
    import subprocess

    from tools.system import Program

    passwords = folder / "passwords"
    program = Program("mosquitto", ("mosquitto_passwd",), "").find()
    assert program is not None
    passwords.unlink(missing_ok=True)
    passwords.touch(mode=0o600)
    for user in ("ann", "root"):
        subprocess.run([program, "-b", str(passwords), user, SECRET], check=True)
    lines = ["user root", "topic readwrite #", "", "user ann", *acl]
    rules = folder / "acl"
    rules.write_text("\n".join([*lines, ""]))
    rules.chmod(0o600)
    options = ("allow_anonymous false", f"password_file {passwords}", f"acl_file {rules}")
    with Mosquitto.start(*options) as broker:
        yield broker


def as_user(broker: Mosquitto, user: str, password: str = SECRET) -> str:
    return f"mqtt://{user}:{password}@127.0.0.1:{broker.port}"


@contextlib.asynccontextmanager
async def at_work(url: str) -> AsyncIterator[tuple[Engine, SpySubscriber, Hold, Any]]:
    """An engine in whose run a task waits."""
    hold = Hold()
    async with engine_on(url) as (engine, spy):
        run = engine.start(give(cs.task(name="work")(hold.rest)(1)))
        await until(lambda: hold.came)
        yield engine, spy, hold, run
        hold.let_go()
        assert await run == 1


async def test_a_wrong_password_is_said_and_asked_less_and_less(tmp_path: Path) -> None:
    with guarded(tmp_path, "topic readwrite #") as broker:
        async with at_work(as_user(broker, "ann", "wrong-" + SECRET)) as (_, spy, _, run):
            await until(lambda: len(spy.events_of_type(ConnectorDisconnected)) >= 3)
            waits = [event.retry_in for event in spy.events_of_type(ConnectorDisconnected)]
            assert waits[:3] == [0.2, 0.4, 0.8]
            assert "does not let us in" in run.status.headline
            assert "PermissionError" in run.status.headline
            assert not [e for e in spy.events if SECRET in e.to_json()]
            assert SECRET not in run.status.headline
        assert SECRET not in broker.log


async def test_who_may_not_publish_is_told_so_and_is_held_all_the_same(tmp_path: Path) -> None:
    with guarded(tmp_path, "topic read cascade/#") as broker:
        async with (
            MqttControllerApp(as_user(broker, "root")) as controller,
            at_work(as_user(broker, "ann")) as (_, spy, hold, run),
        ):
            await until(lambda: "no telemetry goes out" in run.status.headline)
            assert "does not let us publish" in run.status.headline
            await controller.pause("task:give")
            await until(lambda: spy.events_of_type(ConstraintApplied))
            hold.let_go()
            await until(lambda: run.status.held)
            assert len(spy.events_of_type(ConnectorConnected)) == 1
            await controller.resume("task:give")


async def test_what_a_broker_has_kept_holds_who_may_not_publish_from_the_start(
    tmp_path: Path,
) -> None:
    with guarded(tmp_path, "topic read cascade/#") as broker:
        async with (
            MqttControllerApp(as_user(broker, "root")) as controller,
            engine_on(as_user(broker, "ann")) as (engine, spy),
        ):
            await controller.pause("task:give")
            run = engine.start(give(1))
            await until(lambda: run.status.held)
            await controller.resume("task:give")
            assert await run == 1
            assert spy.events_of_type(ConstraintApplied)


async def test_who_may_not_subscribe_is_told_so_and_is_heard_all_the_same(tmp_path: Path) -> None:
    # This broker acknowledges such a subscription and sends nothing: that nothing comes back, not
    # even what we send to ourselves, is all that there is to know.
    with guarded(tmp_path, "topic write cascade/#") as broker:
        async with (
            Listener(as_user(broker, "root"), "cascade/telemetry/#") as listener,
            at_work(as_user(broker, "ann")) as (_, _, _, run),
        ):
            await until(lambda: "it may not let us subscribe" in run.status.headline)
            await until(lambda: "RunStarted" in listener.told)


@pytest.mark.parametrize(
    "url",
    [
        f"mqtts://ann:{SECRET}@broker.invalid",
        f"mqtt://ann:{SECRET}@127.0.0.1",
        f"mqtt://ann:{SECRET.replace('-', '%2D')}@localhost",
    ],
)
async def test_no_secret_is_in_a_repr_or_an_error(url: str) -> None:
    connector = MqttConnector(url)
    engine = Engine(connector=connector)
    texts = [repr(connector), str(connector), repr(engine), repr(vars(connector)["_address"])]
    with pytest.raises(OSError, match="no connection") as error:
        await connector.publish("t", b"")
    texts.append(str(error.value))
    with pytest.raises(TypeError):  # neither does it travel
        pickle.dumps(connector)
    assert not [text for text in texts if "sesame" in text]
    await engine.aclose()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "begins with mqtt://"),
        ("broker", "begins with mqtt://"),
        ("http://broker", "begins with mqtt://"),
        ("mqt://broker", "did you mean 'mqtt'"),
        ("mqtt://", "names a host"),
        ("mqtt://:1883", "names a host"),
        ("mqtt://localhost:0", "names a host and a port"),
        ("mqtt://localhost:99999", "cannot be read"),
        ("mqtt://localhost/topic", "and no more"),
        ("mqtt://localhost#x", "and no more"),
        ("mqtt://localhost?topic=x", "takes no 'topic'"),
        ("mqtt://localhost?insecure=yes", "true or false"),
        ("mqtt://[::1", "cannot be read"),
        (f"mqtt://ann:{SECRET}/@localhost", "is written %2F"),
        (f"mqtt://:{SECRET}@localhost", "needs a user"),
        ("mqtt://localhost?ca=x", "begins with mqtts://"),
        ("mqtts://localhost?key=x", "that of a certificate"),
        ("mqtt://broker", "without TLS and without a password"),
        (f"mqtt://ann:{SECRET}@broker", "without TLS: whoever"),
        ("mqtts://broker", "without a password"),
        ("mqtts://ann@broker", "without a password"),
        ("mqtt://192.168.1.7", "is another machine"),
        ("mqtt://localhost.broker", "is another machine"),
        ("mqtt://0.0.0.0", "is another machine"),
    ],
)
def test_a_url_that_means_nothing_or_no_good_is_refused(url: str, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("?", r"\?")) as error:
        MqttConnector(url)
    assert "sesame" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "mqtt://localhost",
        "mqtt://LOCALHOST.:1884",
        "mqtt://127.3.2.1",
        "mqtt://[::1]",
        "mqtts://ann:x@broker",
        "mqtts://broker?certificate=x&key=y",
        "mqtt://broker?insecure=true",
        "mqtts://broker?insecure=true",
    ],
)
def test_a_url_that_is_safe_or_said_to_be_wanted_is_taken(url: str) -> None:
    MqttConnector(url)


def test_another_machine_is_spoken_to_as_it_is_when_that_is_said() -> None:
    MqttConnector("mqtt://broker", insecure=True)
    with pytest.raises(UsageError, match="keepalive"):
        MqttConnector("mqtt://localhost", keepalive=0)
    for client_id in ("a/b", "a#", "a\n"):
        with pytest.raises(UsageError, match="a client id"):
            MqttConnector("mqtt://localhost", client_id=client_id)
    with pytest.raises(UsageError, match="given as a URL"):
        MqttConnector(3)  # type: ignore[arg-type]
