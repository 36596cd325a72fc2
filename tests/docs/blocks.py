"""Runs the code blocks of the pages, as a reader would, and compares their output.

    python tests/docs/blocks.py STAGE PAGE...

A page runs in an empty directory of its own. By the language of a block:

- with `title="NAME"`: it is written to that file;
- `python`: runs in the page's one namespace; a `text` block that follows is its output;
- `pycon`: a session in the same namespace;
- `js`: a module of its own; a `text` block that follows is its output;
- `console`: lines after `$ ` are commands for bash, the lines below them their output;
- `json`, `toml`, `yaml`, `xml`: parsed;
- `c`, `cpp` without a title: tests/c/documents.sh compiles and runs them;
- `text`, `mermaid`, `cmake`, `nginx`, `http` and no language: not code.

`...` stands for any text, a line of `...` for any lines. A comment before a block changes how it
is treated:

    <!-- not run: REASON -->            it needs what a test does not have
    <!-- hidden LANGUAGE                a block that readers do not see
    CODE
    -->
"""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^( *)(`{3,})\s*([\w+-]*)(.*)$")
TITLE = re.compile(r'title="([^"]+)"')
NOT_RUN = re.compile(r"<!-- not run: (.+?) -->")
PLAIN = {"", "text", "mermaid", "cmake", "nginx", "http", "diff"}
COMPILED_ELSEWHERE = {"c", "cpp"}
CHECK = doctest.OutputChecker()
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SECONDS = 120


@dataclass
class Block:
    """A fenced block, or a hidden one."""

    language: str
    title: str | None
    text: str
    line: int
    not_run: str | None = None


def blocks_of(text: str) -> list[Block]:
    """The blocks of a page, in their order."""
    found: list[Block] = []
    lines = text.splitlines()
    at, reason = 0, None
    while at < len(lines):
        fence = FENCE.match(lines[at])
        hidden = re.match(r"<!-- hidden (\w+)$", lines[at])
        start = at + 1
        if hidden:
            at = next(i for i in range(start, len(lines)) if lines[i].strip() == "-->")
            found.append(Block(f"hidden_{hidden[1]}", None, "\n".join(lines[start:at]) + "\n", start))
        elif fence:
            indent, ticks, language, rest = fence.groups()
            closing = re.compile(rf"^ *{ticks}\s*$")
            at = next((i for i in range(start, len(lines)) if closing.match(lines[i])), None)
            if at is None:
                raise Failure(start, "the block has no end")
            body = [line.removeprefix(indent) for line in lines[start:at]]
            title = TITLE.search(rest)
            found.append(Block(language, title and title[1], "\n".join(body) + "\n", start, reason))
            reason = None
        elif match := NOT_RUN.search(lines[at]):
            reason = match[1]
        elif lines[at].strip():
            reason = None
        at += 1
    return found


class Failure(Exception):
    """What a block did instead of what its page says."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


class Page:
    """One page, its directory and its namespace."""

    def __init__(self, path: Path, stage: Path, port: int) -> None:
        self.path, self.stage, self.port = path, stage, port
        self.dir = Path(tempfile.mkdtemp(prefix="page-", dir=stage))
        self.names: dict[str, object] = {"__name__": "__main__"}
        self.prelude = ""  # hidden JavaScript, for the modules that follow
        modules = self.dir / "node_modules"
        modules.mkdir()
        for name in ("twat-cache", "keyv"):
            (modules / name).symlink_to(stage / "node_modules" / name)

    def run(self) -> tuple[int, list[str]]:
        """Runs every block; gives how many ran, and why others did not."""
        os.chdir(self.dir)
        os.environ.update(HOME=str(self.dir), TWAT_CACHE_DIR=str(self.dir / "cache"))
        # A page's own files are imported afresh, not those of the page before it.
        path, modules = list(sys.path), set(sys.modules)
        sys.path.insert(0, str(self.dir))
        subprocess.run(["redis-cli", "-p", str(self.port), "flushall"], check=True, stdout=subprocess.DEVNULL)
        ran, skipped = 0, []
        try:
            blocks = blocks_of(self.path.read_text())
            for block, following in zip(blocks, [*blocks[1:], None]):
                if block.not_run:
                    skipped.append(block.not_run)
                    continue
                expected = following.text if following and following.language == "text" else None
                ran += self.run_block(block, expected)
        finally:
            sys.path[:] = path
            for name in set(sys.modules) - modules:
                if str(getattr(sys.modules[name], "__file__", "")).startswith(str(self.dir)):
                    del sys.modules[name]
            self.stop()
        return ran, skipped

    def run_block(self, block: Block, expected: str | None) -> int:
        text = block.text.replace("127.0.0.1:6379", f"127.0.0.1:{self.port}")
        if block.title:
            file = self.dir / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            return 1
        if block.language in PLAIN or block.language in COMPILED_ELSEWHERE:
            return 0
        runner = getattr(self, f"run_{block.language}", None)
        if runner is None:
            raise Failure(block.line, f"{block.language}: expected a language that can be run, or 'not run'")
        runner(text, block.line, expected)
        return 1

    def run_python(self, text: str, line: int, expected: str | None) -> None:
        out = io.StringIO()
        code = compile("\n" * line + text, str(self.path), "exec")
        try:
            with contextlib.redirect_stdout(out):
                exec(code, self.names)
        except Exception as error:
            raise Failure(line, f"{type(error).__name__}: {error}") from error
        compare(line, expected, out.getvalue())

    def run_pycon(self, text: str, line: int, expected: str | None) -> None:
        test = doctest.DocTestParser().get_doctest(text, self.names, self.path.name, str(self.path), line)
        test.globs = self.names  # the parser copies them; later blocks see what this one defines
        said: list[str] = []
        doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.append, clear_globs=False)
        if said:
            raise Failure(line, "".join(said))

    def run_hidden_js(self, text: str, line: int, expected: str | None) -> None:
        self.prelude = text

    def run_hidden_python(self, text: str, line: int, expected: str | None) -> None:
        self.run_python(text, line, None)

    def run_js(self, text: str, line: int, expected: str | None) -> None:
        file = self.dir / f"block-{line}.mjs"
        file.write_text(self.prelude + text)
        self.run_command(f"node {file}", line, expected)

    def run_console(self, text: str, line: int, expected: str | None) -> None:
        command, output, at = None, [], line
        for number, row in enumerate([*text.splitlines(), "$ :"], line):
            if not row.startswith("$ "):
                output.append(row)
                continue
            if command is not None:
                self.run_command(command, at, "\n".join(output))
            elif output:
                raise Failure(line, f"expected a line that begins with '$ ', got {output[0]!r}")
            command, output, at = row[2:], [], number

    def run_command(self, command: str, line: int, expected: str | None) -> None:
        background = command.rstrip().endswith("&")
        log = self.dir / f".output-{line}"
        with log.open("wb") as out:
            process = subprocess.Popen(
                ["bash", "-c", command.rstrip().rstrip("&")] if background else ["bash", "-c", command],
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            if background:
                self.background().append(process)
                self.wait_until_it_listens(process, line)
                return
            try:
                status = process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise Failure(line, f"{command}: no end after {SECONDS} s") from None
        got = log.read_text(errors="replace")
        if status and not (expected or "").rstrip().endswith("(fails)"):
            raise Failure(line, f"{command}: exit status {status}\n{got}")
        compare(line, (expected or "").replace("(fails)", ""), got) if expected is not None else None

    def background(self) -> list[subprocess.Popen]:
        return self.__dict__.setdefault("_background", [])

    def wait_until_it_listens(self, process: subprocess.Popen, line: int) -> None:
        """A server is started once a socket of its session listens; other jobs get two seconds."""
        end = time.monotonic() + 2
        while time.monotonic() < end and process.poll() is None:
            time.sleep(0.1)
        if process.poll():
            raise Failure(line, f"the command ended with status {process.returncode}")

    def stop(self) -> None:
        for process in self.background():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def run_json(self, text: str, line: int, expected: str | None) -> None:
        json.loads(text)

    def run_toml(self, text: str, line: int, expected: str | None) -> None:
        try:
            import tomllib
        except ImportError:
            return
        tomllib.loads(text)

    def run_yaml(self, text: str, line: int, expected: str | None) -> None:
        import yaml

        list(yaml.safe_load_all(text))


def compare(line: int, expected: str | None, got: str) -> None:
    if expected is None:
        return
    expected = re.sub(r"^\.\.\.$", "...", expected, flags=re.M)
    if not CHECK.check_output(expected.strip() + "\n", got.strip() + "\n", FLAGS):
        raise Failure(line, f"expected:\n{expected}\ngot:\n{got}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int) -> None:
    """Returns once the server answers."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("redis-server: expected an answer within 30 s, got none")


def start_redis(stage: Path, port: int) -> subprocess.Popen:
    """A server of our own: what it holds is gone with it."""
    return subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(stage)],
        stdout=subprocess.DEVNULL,
    )


def main(stage: Path, pages: list[Path]) -> int:
    port = free_port()
    server = start_redis(stage, port)
    wait_for(port)
    failed = total = 0
    reasons: list[str] = []
    try:
        for page in pages:
            one = Page(page.resolve(), stage, port)
            try:
                ran, skipped = one.run()
            except Failure as failure:
                print(f"{page}:{failure.line}: {failure}", file=sys.stderr)
                failed += 1
                continue
            total += ran
            reasons += [f"{page}: {reason}" for reason in skipped]
            shutil.rmtree(one.dir, ignore_errors=True)
    finally:
        server.kill()
        server.wait()
    print(f"{total} blocks of {len(pages)} pages ran; not run: {len(reasons)}")
    for reason in reasons:
        print("  " + reason)
    return 1 if failed else 0


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    os.chdir(root)
    sys.exit(main(Path(sys.argv[1]).resolve(), [root / name for name in sys.argv[2:]]))
