"""Clocks that tests turn, and clocks of one's own."""

from __future__ import annotations

import asyncio
import datetime

import pytest

import twat_cache as tc
from twat_cache.exceptions import ConfigurationError

freezegun = pytest.importorskip("freezegun")
time_machine = pytest.importorskip("time_machine")


@pytest.mark.parametrize("policy", ["lru", "fifo", "sieve"])
def test_a_time_to_live_follows_a_frozen_clock(policy, ran):
    f = tc.mcache(ttl=60, policy=policy)(lambda x: ran(x))
    with freezegun.freeze_time("2030-01-01") as frozen:
        assert f(1) == f(1) == 1 and ran.n == 1
        frozen.tick(59)
        f(1)
        assert ran.n == 1
        frozen.tick(2)
        f(1)
        assert ran.n == 2


def test_nothing_that_was_stored_by_one_clock_is_served_by_another(ran):
    f = tc.mcache(ttl=60)(lambda x: ran(x))
    kept = tc.mcache(lambda x: ran(x))
    f(1), kept(1)
    with freezegun.freeze_time("2030-01-01"):
        f(1), f(2), kept(1)
        assert ran.n == 4
    assert f.cache_info().currsize == 0 and kept.cache_info().currsize == 1
    f(1), f(2), kept(1)
    assert ran.n == 6
    engine = tc.get_or_create_engine(maxsize=5)
    engine.set("forever", 1)
    with freezegun.freeze_time("1970-01-02"):
        assert engine.get("forever") == 1


def test_time_machine_leaves_the_monotonic_clock_alone_and_a_timer_follows_it(ran):
    import time

    f = tc.mcache(ttl=60, timer=time.time)(lambda x: ran(x))
    with time_machine.travel(datetime.datetime(2030, 1, 1), tick=False) as traveller:
        assert f(1) == f(1) and ran.n == 1
        traveller.shift(61)
        assert f(1) == 1 and ran.n == 2


@pytest.mark.parametrize("deco", [tc.mcache, tc.acache, tc.ucache], ids=lambda deco: deco.__name__)
def test_a_timer_of_ones_own_is_the_clock(deco, ran):
    now = [0.0]

    async def later(x):
        return ran([x])

    plain = deco is not tc.acache
    f = deco(ttl=10, timer=lambda: now[0])((lambda x: ran([x])) if plain else later)

    def call(x):
        return f(x) if plain else asyncio.run(f(x))

    call(1)
    now[0] = 9.9
    call(1)
    assert ran.n == 1 and f.cache_info().currsize == 1
    now[0] = 10.0
    assert f.cache_info().currsize == 0
    call(1)
    assert ran.n == 2
    with freezegun.freeze_time("2030-01-01"):
        call(1)
    assert ran.n == 2, "it knows nothing of other clocks"


def test_a_wrong_timer_is_refused_and_stores_take_none():
    with pytest.raises(ConfigurationError, match="timer: expected a callable"):
        tc.mcache(timer=5)(lambda: 1)
    with pytest.raises(ConfigurationError, match="timer"):
        tc.bcache(timer=lambda: 0.0)(lambda: 1)


@pytest.mark.parametrize("deco", [tc.mcache, tc.bcache, tc.fcache], ids=lambda deco: deco.__name__)
def test_a_date_while_time_stands_still_is_that_date(deco, ran):
    f = deco(name=f"dates {deco.__name__}")(lambda day: ran(str(day)))
    real, moment = datetime.date(2030, 1, 1), datetime.datetime(2030, 1, 1, 12)
    assert f(real) == "2030-01-01" and f(moment) == "2030-01-01 12:00:00" and ran.n == 2
    with freezegun.freeze_time("2030-01-01 12:00"):
        assert f(datetime.date.today()) == "2030-01-01" and f(datetime.datetime.now()) == "2030-01-01 12:00:00"
        assert f(real) == "2030-01-01" and f(moment) == "2030-01-01 12:00:00"
        assert f([real, datetime.date.today()])
    assert ran.n == 3
    assert f(datetime.date(2030, 1, 2)) == "2030-01-02"


def test_a_frozen_date_is_stored_as_a_date(folder):
    f = tc.bcache(folder_name=folder, name="frozen")(lambda: [datetime.date.today(), datetime.datetime.now()])
    with freezegun.freeze_time("2030-01-01 12:00"):
        f()
    assert f() == [datetime.date(2030, 1, 1), datetime.datetime(2030, 1, 1, 12)] and type(f()[0]) is datetime.date
