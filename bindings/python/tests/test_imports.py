"""Results whose type is imported inside the function: found in the next process, without running code that others name."""

from __future__ import annotations

import os

import pytest

import twat_cache as tc
from test_identity import Place

POINT = "print('imported', end=' ')\nfrom dataclasses import dataclass\n@dataclass\nclass Pt:\n    x: int\n    class Inner: pass\n"
CALL = """
from twat_cache import bcache
@bcache(folder_name={folder!r}, name="f")
def f(x):
    print("ran", end=" ")
    from {module} import Pt
    return [Pt(x)]
"""


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def _program(place, name, module="shapes", end="print(f(1)[0].x)\n"):
    return place.file(name, CALL.format(folder=str(place.root / "store"), module=module) + end)


def test_a_type_that_this_user_has_written_before(place):
    place.write(shapes=POINT)
    _program(place, "a.py")
    assert [place.run("a.py") for _ in range(3)] == ["ran imported 1", "imported 1", "imported 1"]
    # Another user, or one whose list is not signed with the secret, imports nothing.
    assert place.run("a.py", XDG_DATA_HOME=str(place.root / "other")) == "ran imported 1"
    listed = (place.root / "data" / "twat_cache" / "types").read_text()
    assert (
        listed.split()[1:] == ["shapes.Pt"] and (place.root / "data/twat_cache/types").stat().st_mode & 0o777 == 0o600
    )
    forged = place.root / "forged" / "twat_cache" / "types"
    forged.parent.mkdir(parents=True)
    forged.write_text(listed)
    assert place.run("a.py", XDG_DATA_HOME=str(place.root / "forged")) == "ran imported 1"


@pytest.mark.parametrize(
    "module, project, allowed", [("pkg.shapes", False, True), ("shapes", True, True), ("shapes", False, False)]
)
def test_types_of_the_own_package_and_of_the_own_project_but_of_no_other(module, project, allowed, place):
    if project:
        place.file("pyproject.toml", "[project]\nname = 'shop'\n")
    place.file("lib/pkg/__init__.py", "")
    place.file("lib/pkg/shapes.py", POINT)
    place.file("lib/shapes.py", POINT)
    _program(place, "lib/pkg/work.py", module, end="")
    paths = {"PYTHONPATH": os.pathsep.join([place.env["PYTHONPATH"], str(place.root / "lib")])}
    command = ["-c", "from pkg import work; print(work.f(1)[0].x)"]
    assert place.run(*command, **paths) == "ran imported 1"
    (place.root / "data/twat_cache/types").unlink()
    assert place.run(*command, **paths) == ("imported 1" if allowed else "ran imported 1")


def test_a_value_that_somebody_else_wrote_imports_nothing(place):
    place.write(evil="print('evil')\n")
    path = _program(place, "a.py")
    place.write(shapes=POINT)
    store = str(place.root / "store")
    namespace = "f"
    key = "f.cache_key(1)"
    place.file("write.py", path.read_text().replace("print(f(1)[0].x)\n", "") +
               f"from twat_cache._ffi.bytecache import ByteCache\nb = ByteCache('disk', {{'path': {store!r}, 'namespace': {namespace!r}}})\n"
               "from twat_cache._serialize import msgpack_writer as mp, values\nout = bytearray(b'\\x01')\n"
               f"mp.write_named(values._ENCODER, out, 'evil.Pt', {{'x': 1}})\nb.set({key}, bytes(out), 0)\n")  # fmt: skip
    place.run("write.py")
    assert place.run("a.py") == "ran imported 1"


def test_a_module_that_fails_to_load_is_a_miss(place):
    place.write(shapes=POINT)
    _program(place, "a.py")
    place.run("a.py")
    place.write(shapes="raise SystemExit(3)\n")
    _program(place, "a.py", end="").write_text(
        (place.root / "a.py").read_text().replace("from shapes import Pt\n    return [Pt(x)]", "return x")
    )
    assert place.run("-c", "import sys; sys.path.insert(0, '.'); import a; print(a.f(1))") == "ran 1"


def test_a_mapping_reads_what_this_user_wrote(place):
    place.write(shapes=POINT)
    start = f"from twat_cache import Cache\nc = Cache('disk', {str(place.root / 'c')!r})\n"
    place.write(put=start + "from shapes import Pt\nc['a'] = Pt(1)\n", read=start + "print(c['a'].x)\n")
    place.run("put.py")
    assert place.run("read.py") == "imported 1"


def test_nothing_is_listed_for_memory(monkeypatch, tmp_path):
    from twat_cache._serialize import named_types

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(named_types, "written", {"a.b": None})
    assert tc.ucache(engine="memory", serializer="msgpack")(lambda x: [x])(1) == [1]
    assert not (tmp_path / "twat_cache").exists()
