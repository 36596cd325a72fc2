"""The main job: real work memoized, shared between processes, languages and machines.

    python demo.py WORK_DIRECTORY READ_STORE_PROGRAM

Two passes over the standard library in two processes; a C program and Node read what Python wrote; the
decorators in turn; the same analysis over redis, where a redis-server is on the machine.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
NODE = HERE.parent / "node"


def say(text: str) -> None:
    print(text, flush=True)


def output(*command: object) -> list[str]:
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout.splitlines()


def analyse(*arguments: object) -> dict[str, float]:
    """One pass in a process of its own; what it printed last."""
    return json.loads(output(sys.executable, HERE / "analysis.py", *arguments)[-1])


def indented(lines: list[str]) -> str:
    return "\n".join(f"   {line[:110]}" for line in lines)


def size_of(folder: Path) -> int:
    """Bytes on the disk (blocks, not lengths: the store's file may be sparse)."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def table(cold: dict[str, float], warm: dict[str, float], size: int) -> None:
    rows = [
        ("files", f"{cold['files']:,}", f"{warm['files']:,}"),
        ("seconds", f"{cold['seconds']:.2f}", f"{warm['seconds']:.3f}"),
        ("hits", f"{cold['hits']:,}", f"{warm['hits']:,}"),
        ("misses", f"{cold['misses']:,}", f"{warm['misses']:,}"),
        ("speed-up", "", f"{cold['seconds'] / warm['seconds']:.0f} x"),
        ("size on disk", "", f"{size / 1024:,.0f} KiB"),
    ]
    say(f"   {'':<14}{'cold':>10}{'warm':>12}")
    for name, left, right in rows:
        say(f"   {name:<14}{left:>10}{right:>12}")


def other_languages(store: Path, reader: str, expected: int) -> None:
    say("\n3. a C program opens the same store and reads the same entries")
    lines = output(reader, store, "analyze")
    say(indented([*lines[:4], "…", lines[-1]]))
    if not lines[-1].startswith(f"{expected} entries"):
        sys.exit(f"the C program should have found {expected} entries, said: {lines[-1]}")

    say("\n4. so does Node, and calls the function without computing it")
    if not has_node():
        return
    say(indented(output("node", NODE / "read-store.mjs", store, "analyze", 2)))


def has_node() -> bool:
    if (NODE / "node_modules").exists():
        return True
    say("   (Node 20 or later and npm are not on this machine: the Node package was not built)")
    return False


@contextmanager
def redis_server() -> Iterator[str]:
    """A server of our own on a free port, and its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        options = ["--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        command = ["redis-server", *(str(option) for option in options)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            wait_for(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait()


def wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    sys.exit("redis-server did not begin to listen within 5 seconds")


def beyond_one_machine() -> None:
    say("\n6. the analysis over memory above redis, where many machines share it")
    if not shutil.which("redis-server"):
        say("   (no redis-server on this machine: `apt-get install redis-server` brings it)")
        return
    with redis_server() as url:
        cold, warm = analyse(url, 200), analyse(url, 200)
        say(
            f"   200 files: {cold['seconds']:.2f} s and {cold['misses']} misses in one process, "
            f"{warm['seconds']:.3f} s and {warm['hits']} hits in the next"
        )
        if warm["hits"] != 200:
            sys.exit("the second pass over redis should have hit on every file")
        if has_node():
            say(indented(output("node", NODE / "read-redis.mjs", url, "analyze", 1)))


def main() -> None:
    work, reader = Path(sys.argv[1]), sys.argv[2]
    store = work / "store"
    say("1. every module of the standard library is parsed and measured: the store is filled")
    cold = analyse(store)
    say("2. the same again, in a new process: served from the store")
    warm = analyse(store)
    other_languages(store, reader, int(cold["misses"]))

    say("\n5. the decorators: a call that ran, and one that was served")
    subprocess.run([sys.executable, str(HERE / "tour.py"), str(work / "tour")], check=True)
    beyond_one_machine()

    say(
        f"\n   {cold['lines']:,} lines, {cold['functions']:,} functions, {cold['classes']:,} classes; "
        f"deepest nesting {cold['deepest']}; {cold['unparsable']} files do not parse (a result too)\n"
    )
    table(cold, warm, size_of(store))
    if warm["hits"] != warm["files"] or warm["misses"]:
        sys.exit("the warm pass should have hit on every file")


if __name__ == "__main__":
    main()
