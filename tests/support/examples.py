"""How many examples the property tests try: few in `make test`, many in `make soak`.

The environment variable HYPOTHESIS_PROFILE chooses the profile. In CI the examples are the same
each time, so that a change is judged by what it changed.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

CI = os.environ.get("CI") == "true"
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "default")

#: How many times the examples of `make test` a profile tries.
TIMES = {"default": 1, "soak": 25}

#: How often kernels are killed, and plain processes, which take a fifth of the time to start.
KILLED_KERNELS = {"default": 5, "soak": 200}
KILLED_PROCESSES = {"default": 36, "soak": 200}

settings.register_profile(
    "default",
    max_examples=100,
    stateful_step_count=40,
    deadline=None,  # this machine is shared; what must be fast is counted or measured, not raced
    suppress_health_check=[HealthCheck.too_slow],  # for the same reason
    derandomize=CI,
    print_blob=True,
    **({"database": None} if CI else {}),
)
settings.register_profile(
    "soak",
    settings.get_profile("default"),
    max_examples=100 * TIMES["soak"],
    stateful_step_count=100,
    derandomize=False,
)


def examples(n: int) -> int:
    """A test's own `max_examples`: `n` in `make test`, the profile's multiple of it elsewhere."""
    return n * TIMES[PROFILE]
