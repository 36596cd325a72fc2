"""The Python twin of redis.cpp's analysis: python redis_peer.py URL N LABEL"""

import sys

import twat_cache as tc

url, n, label = sys.argv[1], int(sys.argv[2]), sys.argv[3]
calls = 0


@tc.ucache(preferred_engine="redis", config=tc.CacheConfig(redis_url=url), name="analysis")
def analysis(n, label):
    global calls
    calls += 1
    return {label: [float(n), n / 2], "by Python": []}


found = analysis(n, label)
author = next(name for name in found if name.startswith("by "))
print(f"{author} {label}={found[label]} {calls} computed")
