"""Random calls of mcache against a model, for each policy."""

from __future__ import annotations

from collections import OrderedDict

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

import twat_cache as tc

BOUND = 4


class Model(RuleBasedStateMachine):
    """What every policy must do: right values, the bound, the counts. For lru the exact content too."""

    policy = "lru"

    def __init__(self):
        super().__init__()
        self.ran = []
        self.generation = 0
        self.hits = self.misses = 0
        self.content = OrderedDict()

        @tc.mcache(maxsize=BOUND, policy=self.policy)
        def f(x):
            self.ran.append(x)
            return (x, self.generation)

        self.f = f

    @rule(x=st.integers(0, 9))
    def call(self, x):
        before = len(self.ran)
        value = self.f(x)
        hit = len(self.ran) == before
        assert value[0] == x
        self.hits += hit
        self.misses += not hit
        if self.policy in ("lru", "fifo"):
            assert hit == (x in self.content)
            if hit:
                assert value is self.content[x]
        self.content[x] = self.content.get(x, value)
        if self.policy == "lru":
            self.content.move_to_end(x)
        if not hit and len(self.content) > BOUND and self.policy in ("lru", "fifo"):
            self.content.popitem(last=False)

    @rule(x=st.integers(0, 9))
    def invalidate(self, x):
        there = self.f.invalidate(x)
        if self.policy in ("lru", "fifo"):
            assert there == (x in self.content)
        self.content.pop(x, None)
        before = len(self.ran)
        self.generation += 1
        assert before == len(self.ran)

    @rule()
    def clear(self):
        self.f.cache_clear()
        self.content.clear()
        self.hits = self.misses = 0

    @invariant()
    def bound_and_counts(self):
        info = self.f.cache_info()
        assert info.currsize <= BOUND and (info.hits, info.misses) == (self.hits, self.misses)
        figures = self.f.cache.figures()
        assert len(self.f.cache.content()) == info.currsize == (figures["entries"] if figures else 0)


@pytest.mark.parametrize("policy", ["lru", "mru", "fifo", "lifo", "lfu", "rr", "sieve", "s3fifo", "none"])
def test_mcache_behaves_as_its_model(policy):
    machine = type("Machine", (Model,), {"policy": policy})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
