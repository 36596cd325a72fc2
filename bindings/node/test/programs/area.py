"""The Python side of python.test.mjs: area.py STORE; answers JSON lines of arguments with results."""

import json
import sys

import twat_cache

calls = 0


@twat_cache.bcache(folder_name=sys.argv[1], name="area")
def area(*args):
    global calls
    calls += 1
    return {"by": "python", "args": list(args), "n": calls}


for line in sys.stdin:
    print(json.dumps([area(*json.loads(line)), calls]), flush=True)
