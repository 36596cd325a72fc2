"""The Python side of memoize.cpp: python collatz.py DIRECTORY|URL N... (an absolute path, or redis://HOST)"""

import sys

import twat_cache

place, calls = sys.argv[1], 0
if "://" in place:
    memoized = twat_cache.ucache(
        preferred_engine="redis", config=twat_cache.CacheConfig(redis_url=place), name="collatz"
    )
else:
    memoized = twat_cache.bcache(folder_name=place, name="collatz")


@memoized
def collatz(n):
    global calls
    calls += 1
    steps = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps


for argument in sys.argv[2:]:
    print(f"collatz({argument}) = {collatz(int(argument))}")
print(calls, "computed here")
