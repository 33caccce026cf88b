"""The parts of the connector for MQTT that need no broker."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from cascade_nb.connectors.local import topic_matches
from cascade_nb.connectors.mqtt.subscriptions import covers

words = st.lists(st.sampled_from(["a", "b", "+"]), min_size=1, max_size=3)
filters = st.tuples(words, st.booleans()).map(lambda x: "/".join([*x[0], *["#"] * x[1]])) | st.just(
    "#"
)
TOPICS = ["/".join(t) for n in range(1, 6) for t in itertools.product("abc", repeat=n)]


@given(filters, filters)
def test_a_filter_covers_another_exactly_where_it_matches_all_of_its_topics(
    wide: str, narrow: str
) -> None:
    theirs = [topic for topic in TOPICS if topic_matches(narrow, topic)]
    assert covers(wide, narrow) == all(topic_matches(wide, topic) for topic in theirs)
