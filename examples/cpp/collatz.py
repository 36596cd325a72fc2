"""The Python side of memoize.cpp: python collatz.py DIRECTORY N... (an absolute path)"""

import sys

import twat_cache

calls = 0


@twat_cache.bcache(folder_name=sys.argv[1], name="collatz")
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
