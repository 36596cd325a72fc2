"""Checked by mypy --strict, and run: what a type checker sees of decorated functions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import twat_cache as tc

if TYPE_CHECKING:
    from typing_extensions import assert_type


@tc.mcache(maxsize=10)
def square(x: int) -> int:
    return x * x


@tc.mcache
def bare(x: int, *, scale: float = 1.0) -> float:
    return x * scale


@tc.bcache(engine="memory")
def report(day: str) -> dict[str, str]:
    return {"day": day}


@tc.acache(ttl=60)
async def fetch(url: str) -> bytes:
    return url.encode()


class Shop:
    @tc.mcache(maxsize=5)
    def price(self, item: str) -> int:
        return len(item)

    @staticmethod
    @tc.mcache
    def tax(x: int) -> float:
        return x / 10


def main() -> None:
    a: int = square(3)
    b: float = bare(3, scale=2.0)
    c: dict[str, str] = report("monday")
    d: bytes = asyncio.run(_first())
    e: int = Shop().price("apple")
    f: float = Shop.tax(10)
    hits: int = square.cache_info().hits
    square.cache_clear()
    if TYPE_CHECKING:
        assert_type(square(1), int)
        square("text")  # type: ignore[arg-type]
        bare(1, wrong=2)  # type: ignore[call-arg]
        Shop().price(1)  # type: ignore[arg-type]
    assert (a, b, c, d, e, f, hits) == (9, 6.0, {"day": "monday"}, b"u", 5, 1.0, 0)
    with tc.Cache(engine="memory") as cache:
        cache["k"] = 1
        number: object = cache.get("k")
        assert number == 1


async def _first() -> bytes:
    return await fetch("u")


if __name__ == "__main__":
    main()
