"""Messages within one process: in force when the publisher goes on."""

from __future__ import annotations

import pytest

from cascade_nb.connectors import InProcessConnector
from cascade_nb.errors import UsageError
from tests.connectors.test_contract import Heard


async def test_what_follows_a_publish_can_rely_on_it() -> None:
    connector = InProcessConnector()
    heard = Heard()
    await connector.subscribe("t/#", heard)
    await connector.publish("t/a", b"1")
    assert heard.messages == [("t/a", b"1")]


@pytest.mark.parametrize("topic", ["t/+", "#", "t/#"])
async def test_nobody_publishes_on_a_wildcard(topic: str) -> None:
    with pytest.raises(UsageError, match=r"has no wildcards"):
        await InProcessConnector().publish(topic, b"")


@pytest.mark.parametrize("topic_filter", ["t/#/a", "#/a", "t/a#", "t+/a", "a/b+c"])
async def test_what_is_no_filter_is_refused(topic_filter: str) -> None:
    with pytest.raises(UsageError, match=r"is no topic filter"):
        await InProcessConnector().subscribe(topic_filter, Heard())


async def test_the_first_of_two_users_to_leave_does_not_cut_off_the_other() -> None:
    connector = InProcessConnector()
    heard = Heard()
    await connector.connect()
    await connector.connect()
    await connector.subscribe("t", heard)
    await connector.disconnect()
    await connector.publish("t", b"1")
    assert len(heard.messages) == 1
    await connector.disconnect()
    await connector.publish("t", b"2")
    assert len(heard.messages) == 1


async def test_leaving_more_often_than_coming_does_no_harm() -> None:
    connector = InProcessConnector()
    await connector.disconnect()
    await connector.connect()
    heard = Heard()
    await connector.subscribe("t", heard)
    await connector.publish("t", b"1")
    assert len(heard.messages) == 1


async def test_retained_messages_stay_when_everybody_has_left() -> None:
    connector = InProcessConnector()
    await connector.connect()
    await connector.publish("t", b"1", retain=True)
    await connector.disconnect()
    heard = Heard()
    await connector.subscribe("t", heard)
    assert heard.messages == [("t", b"1")]
