"""The decorators at work: each line shows a call that ran and one that was served.

python tour.py FOLDER
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

import twat_cache

FOLDER = Path(sys.argv[1]).absolute()


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e6


def show(name: str, what: str, call: Callable[[], object]) -> None:
    ran, served = timed(call), min(timed(call) for _ in range(5))
    print(f"   {name:<14}{what:<44}{ran:>12,.0f} µs {served:>10,.1f} µs")


@twat_cache.mcache(maxsize=100)
def slow_square(x: int) -> int:
    time.sleep(0.05)
    return x * x


@twat_cache.bcache(folder_name=str(FOLDER / "words"))
def word_counts(path: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in Path(path).read_text(encoding="utf-8").split():
        counts[word] = counts.get(word, 0) + 1
    return counts


@twat_cache.acache(ttl=60)
async def fetch(url: str) -> str:
    await asyncio.sleep(0.05)
    return f"what {url} said"


@twat_cache.hybrid_cache()
def digests(n: int) -> list[str]:
    return [hashlib.pbkdf2_hmac("sha256", b"%d" % i, b"salt", 20).hex() for i in range(n)]


def main() -> None:
    print(f"   {'':<14}{'':<44}{'ran':>12}    {'served':>10}")
    show("mcache", "a live object, in memory", lambda: slow_square(12))
    show("bcache", "word counts of a module, on disk", lambda: word_counts(asyncio.__file__))

    async def waiters() -> None:
        answers = await asyncio.gather(*(fetch("https://example.org") for _ in range(20)))
        if len(set(answers)) != 1:
            sys.exit("twenty waiters should have had one answer")

    show("acache", "a coroutine, 20 waiters, run once", lambda: asyncio.run(waiters()))
    show("hybrid_cache", "a small result, in memory", lambda: digests(100))
    show("hybrid_cache", "a large result, on disk", lambda: digests(50_000))
    arrays()


def arrays() -> None:
    try:
        import numpy as np
    except ImportError:
        print("   fcache        (an array: install numpy to see it)")
        return

    @twat_cache.fcache(folder_name=str(FOLDER / "arrays"))
    def table(n: int) -> np.ndarray:
        return np.sin(np.arange(n * n, dtype="float64")).reshape(n, n)

    show("fcache", "an array of 32 MB, mapped, no copy", lambda: table(2000))


if __name__ == "__main__":
    main()
