"""What interrupts the computing thread is its own: nobody who waits for the result gets it."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import twat_cache as tc
from twat_cache import CacheContext

# How often a function ran. What a function captures counts for its name, so this is not captured.
RAN = []


@pytest.fixture(autouse=True)
def nothing_ran():
    RAN.clear()


class SoftLimit(Exception):
    def __init__(self, text="time is up"):
        super().__init__(text)


def memoizers(folder):
    return {
        "bcache": tc.bcache(folder_name=folder),
        "hybrid": tc.hybrid_cache(),
        "Cache": tc.Cache("disk", folder).memoize(),
        "engine": CacheContext(maxsize=10).__enter__().cache,
    }


def run_both(f, interrupt, waiters=3):
    """Calls f in one thread that is interrupted and in others; what each got."""
    out = {}

    def call(name):
        try:
            out[name] = f(7)
        except BaseException as error:
            out[name] = type(error).__name__

    first = threading.Thread(target=call, args=("first",))
    first.start()
    time.sleep(0.1)
    others = [threading.Thread(target=call, args=(i,)) for i in range(waiters)]
    [t.start() for t in others]
    time.sleep(0.1)
    interrupt(first)
    [t.join(10) for t in (first, *others)]
    return out


def thrown(kind):
    def throw(thread):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(kind))

    return throw


@pytest.mark.parametrize("which", ["bcache", "hybrid", "Cache", "engine"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
def test_an_interrupt_is_not_handed_to_those_that_wait(which, error, folder):
    go = threading.Event()

    @memoizers(folder)[which]
    def f(x):
        RAN.append(x)
        if len(RAN) == 1:
            go.wait(5)
            raise error
        return x

    out = run_both(f, lambda _: go.set())
    assert out == {"first": error.__name__, 0: 7, 1: 7, 2: 7} and len(RAN) == 2


@pytest.mark.parametrize("which", ["bcache", "Cache", "engine"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SoftLimit, TimeoutError])
def test_an_exception_thrown_into_the_computing_thread_stays_there(which, error, folder):

    @memoizers(folder)[which]
    def f(x):
        RAN.append(x)
        end = time.time() + 3
        while len(RAN) == 1 and time.time() < end:
            time.sleep(0.001)
        return x

    out = run_both(f, thrown(error))
    assert out == {"first": error.__name__, 0: 7, 1: 7, 2: 7} and len(RAN) == 2


@pytest.mark.parametrize("which", ["bcache", "Cache", "engine"])
def test_the_functions_own_exception_is_shared_each_with_an_object_of_its_own(which, folder):
    caught = []

    class Detailed(Exception):
        def __init__(self, first, second):
            super().__init__(f"{first} and {second}")
            self.second = second

    @memoizers(folder)[which]
    def f(x):
        RAN.append(x)
        time.sleep(0.3)
        raise Detailed("one", "two") from KeyError("reason")

    def call():
        try:
            f(1)
        except Detailed as error:
            caught.append(error)

    threads = [threading.Thread(target=call) for _ in range(4)]
    [t.start() for t in threads]
    [t.join(10) for t in threads]
    assert len(RAN) == 1 and len({id(error) for error in caught}) == 4
    assert {(str(e), e.second, repr(e.__cause__)) for e in caught} == {("one and two", "two", "KeyError('reason')")}


def test_a_handlers_exception_is_neither_kept_nor_shared(folder):

    def handler(*_):
        raise SoftLimit("from a handler")

    @tc.bcache(folder_name=folder, cache_exceptions=Exception)
    def f(x):
        RAN.append(x)
        if len(RAN) == 1:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            time.sleep(5)
        return x

    before = signal.signal(signal.SIGALRM, handler)
    try:
        with pytest.raises(SoftLimit):
            f(1)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert f(1) == 1


@pytest.mark.parametrize("deco", [tc.mcache, tc.bcache, tc.hybrid_cache], ids=lambda deco: deco.__name__)
def test_interrupts_are_not_kept_as_results(deco):

    @deco(cache_exceptions=(BaseException,), name=f"kept interrupts {deco.__name__}")
    def f(error):
        RAN.append(error)
        raise {"k": KeyboardInterrupt, "s": SystemExit, "v": ValueError}[error]

    for name, times in (("k", 2), ("s", 2), ("v", 1)):
        RAN.clear()
        for _ in range(2):
            with pytest.raises((KeyboardInterrupt, SystemExit, ValueError)):
                f(name)
        assert len(RAN) == times


def test_a_computation_that_cancels_itself_is_taken_over():

    @tc.acache
    async def f(x):
        RAN.append(x)
        await asyncio.sleep(0.01)
        if len(RAN) == 1:
            raise asyncio.CancelledError
        return x

    async def main():
        return await asyncio.gather(*(f(1) for _ in range(4)), return_exceptions=True)

    first, *others = asyncio.run(main())
    assert isinstance(first, asyncio.CancelledError) and others == [1, 1, 1] and len(RAN) == 2


def test_each_coroutine_that_waits_gets_an_exception_of_its_own():
    @tc.acache
    async def f(x):
        await asyncio.sleep(0.01)
        raise ValueError("text")

    async def main():
        return await asyncio.gather(*(f(1) for _ in range(4)), return_exceptions=True)

    errors = asyncio.run(main())
    assert [str(e) for e in errors] == ["text"] * 4 and len({id(e) for e in errors}) == 4


GREEN = {
    "gevent": """
        from gevent import monkey; monkey.patch_all()
        import gevent
        Killed, spawn, sleep = gevent.GreenletExit, gevent.spawn, gevent.sleep
        def kill(g, error): g.kill(error, block=False)
        def result(g):
            g.join(5); return g.value if g.exception is None else g.exception
        class Late(Exception): pass
        def timeout(): return gevent.Timeout.start_new(0.1, Late("late"))
        """,
    "eventlet": """
        import warnings; warnings.simplefilter("ignore")
        import eventlet; eventlet.monkey_patch()
        import greenlet
        Killed, spawn, sleep = greenlet.GreenletExit, eventlet.spawn, eventlet.sleep
        def kill(g, error): g.kill(error)
        def result(g):
            try: return g.wait()
            except BaseException as error: return error
        class Late(Exception): pass
        def timeout(): return eventlet.Timeout(0.1, Late("late"))
        """,
}
GREEN_BODY = """
    import sys, time
    import twat_cache as tc
    ran = []
    @tc.bcache(folder_name=sys.argv[1], cache_exceptions=Exception)
    def f(x):
        ran.append(x)
        if ran.count(x) == 1:
            if x == "timeout": timeout()
            time.sleep(0.4)
        return x
    def call(x): return f(x)
    class Own(Exception): pass
    for x, error in (("killed", Killed), ("own", Own), ("instance", Own("with text")), ("timeout", None)):
        first = spawn(call, x); sleep(0.02)
        others = [spawn(call, x) for _ in range(3)]; sleep(0.02)
        if error is not None: kill(first, error)
        print(x, [result(g) for g in others], type(result(first)).__name__, ran.count(x), f(x))
    """


@pytest.mark.parametrize("library", GREEN)
def test_greenlets_that_are_killed_leave_the_others_their_result(library, folder, tmp_path):
    pytest.importorskip(library)
    code = textwrap.dedent(GREEN[library]) + textwrap.dedent(GREEN_BODY)
    (tmp_path / "program.py").write_text(code)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "program.py"), folder],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "killed ['killed', 'killed', 'killed'] GreenletExit 2 killed",
        "own ['own', 'own', 'own'] Own 2 own",
        "instance ['instance', 'instance', 'instance'] Own 2 instance",
        "timeout ['timeout', 'timeout', 'timeout'] Late 2 timeout",
    ], done.stderr


@pytest.mark.parametrize("runner", ["trio", "anyio"])
def test_acache_runs_in_trio(runner, folder):
    trio = pytest.importorskip("trio")
    anyio = pytest.importorskip("anyio")

    @tc.acache(cache_exceptions=KeyError)
    async def f(x):
        RAN.append(x)
        await anyio.sleep(0.05)
        if x < 0:
            raise KeyError(x)
        return [x]

    @tc.bcache(folder_name=folder)
    async def stored(x):
        RAN.append(x)
        await anyio.sleep(0.05)
        return [x]

    async def main():
        for function in (f, stored):
            RAN.clear()
            found = []

            async def call(function=function, found=found):
                found.append(await function(1))

            async def cancelled(function=function):
                with anyio.move_on_after(0.02):
                    await function(1)

            async with anyio.create_task_group() as group:
                group.start_soon(cancelled)
                await anyio.sleep(0.001)
                for _ in range(3):
                    group.start_soon(call)
            assert found == [[1]] * 3 and len(RAN) == 2 and await function(1) == [1]
        for _ in range(2):
            with pytest.raises(KeyError):
                await f(-1)
        assert RAN.count(-1) == 1

    trio.run(main) if runner == "trio" else anyio.run(main, backend="trio")
