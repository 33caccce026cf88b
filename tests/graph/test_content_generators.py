"""Generators of random numbers in keys: whoever draws from the process's own changes them."""

from __future__ import annotations

import random

import numpy as np
import scipy.stats

from cascade_nb.graph.fingerprint.content import content_key


def test_what_draws_from_the_global_generators_has_one_key_however_much_was_drawn() -> None:
    known = (scipy.stats.lognorm(0.2, 0, 70), scipy.stats.norm(3), np.random.mtrand._rand)
    for value in (*known, random._inst):
        before = str(content_key(value))
        np.random.rand(3)
        random.random()
        assert str(content_key(value)) == before
    assert str(content_key(known[0])) != str(content_key(scipy.stats.lognorm(0.3, 0, 70)))


def test_a_generator_of_ones_own_counts_by_its_state() -> None:
    ours = np.random.RandomState(1)
    frozen = scipy.stats.norm(3)
    frozen.random_state = ours
    for value, draw in ((ours, ours.rand), (frozen, ours.rand)):
        before = str(content_key(value))
        draw()
        assert str(content_key(value)) != before
    own = random.Random(1)
    before = str(content_key(own))
    own.random()
    assert str(content_key(own)) != before
