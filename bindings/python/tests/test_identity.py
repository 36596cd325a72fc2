"""Which function a name means: never another one's results, and the same function's own wherever it is started from."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import zipapp

import pytest

import twat_cache as tc
from frameworks import redis_server
from twat_cache._identity import project

LOAD = "from twat_cache import bcache\n@bcache\ndef load(x):\n    print('ran', end=' ')\n    return x * {}\n"
CALL = "import utils\nprint(utils.load(1))\n"


class Place:
    """A folder of programs that share one cache directory."""

    def __init__(self, root):
        self.root = root
        self.env = {
            **os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TWAT_CACHE_DIR": str(root / "cache"),
            "XDG_DATA_HOME": str(root / "data"), "PYTHONWARNINGS": "ignore",
        }  # fmt: skip

    def write(self, **files):
        for name, text in files.items():
            self.file(name.replace("__", "/") + ".py", text)

    def file(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def run(self, *command, cwd=None, text=None, **env):
        done = subprocess.run(
            [sys.executable, *map(str, command)], capture_output=True, text=True, cwd=self.root / (cwd or "."),
            env={**self.env, **env}, input=text, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


# Modules of one name


def test_two_checkouts_with_a_module_of_one_name(place):
    place.write(p__utils=LOAD.format(10), q__utils=LOAD.format(1000), p__main=CALL, q__main=CALL)
    assert [place.run(f"{which}/main.py") for which in "pqpq"] == ["ran 10", "ran 1000", "10", "1000"]


def test_two_folders_of_one_project_with_a_module_of_one_name(place):
    place.file("pyproject.toml", '[project]\nname = "mono"\n')
    place.write(one__utils=LOAD.format(10), two__utils=LOAD.format(1000), one__main=CALL, two__main=CALL)
    place.write(src__utils=LOAD.format(2), utils=LOAD.format(3), src__main=CALL, main=CALL)
    mains = ["one/main.py", "two/main.py", "src/main.py", "main.py"]
    assert [place.run(main) for main in mains] == ["ran 10", "ran 1000", "ran 2", "ran 3"]
    assert place.run(mains[3]) == "3"


def test_a_release_folder_that_moves_keeps_its_results_in_a_project(place):
    for release in ("r1", "r2"):
        place.file(f"{release}/pyproject.toml", "[tool.other]\nname = 'no'\n[project]\nname = 'shop' # here\n")
        place.write(**{f"{release}__src__shop__utils": LOAD.format(10)})
        place.file(f"{release}/run.py", LOAD.format(7).replace("load", "main") + "from shop import utils\n"
                   "print(utils.load(1), main(1), utils.load.cache.name, main.cache.name)\n")  # fmt: skip
    paths = {"PYTHONPATH": os.pathsep.join([*sys.path, "src"])}
    names = "shop:shop.utils.load shop/run.py:__main__.main"
    assert place.run("run.py", cwd="r1", **paths) == f"ran ran 10 7 {names}"
    assert place.run("run.py", cwd="r2", **paths) == f"10 7 {names}"


def test_a_checkout_behind_a_link_is_the_one_that_the_link_leads_to(place):
    place.write(p__utils=LOAD.format(10), q__utils=LOAD.format(1000), p__main=CALL, q__main=CALL)
    link = place.root / "current"
    for which, expected in (("p", "ran 10"), ("q", "ran 1000"), ("p", "10")):
        link.unlink(missing_ok=True)
        link.symlink_to(place.root / which)
        assert place.run("current/main.py") == expected
    assert place.run("q/main.py") == "1000"


@pytest.mark.parametrize(
    "text, name",
    [
        ('[project]\nname = "a"\n', "a"), ("[tool.twat_cache]\nproject='b'\n[project]\nname = \"a\"", "b"),
        ('[tool.poetry]\nname = "c"\n', "c"), ('project.name = "d"\n', "d"), ("[tool.ruff]\nname = 'x'\n", None),
        ('[[tool.x]]\nname = "y"\n', None), ('[project]\ndescription = """\n[tool.twat_cache]\nproject = "e"\n"""\nname = "f"', "f"),
        ('["project"]\n"name" = "g"\n', "g"), ("", None), ('[tool.flit.metadata]\nmodule = "h"\n', "h"),
    ],
)  # fmt: skip
def test_the_name_that_a_project_file_states(text, name, tmp_path):
    if '"""' in text:
        pytest.importorskip("tomllib")
    (tmp_path / "pyproject.toml").write_text(text)
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert project.project_of_folder(str(inner)) == (None if name is None else (name, str(tmp_path)))


def test_a_project_that_is_stated_goes_before_others(place, monkeypatch):
    place.file("p/pyproject.toml", '[project]\nname = "file"\n')
    place.write(p__utils=LOAD.format(1), p__main="import utils\nprint(utils.load.cache.name)\n")
    assert place.run("p/main.py") == "file:utils.load"
    assert place.run("p/main.py", TWAT_CACHE_PROJECT="env") == "env:utils.load"
    place.write(
        p__other="import twat_cache\ntwat_cache.set_project('code')\n" + "import utils\nprint(utils.load.cache.name)\n"
    )
    assert place.run("p/other.py", TWAT_CACHE_PROJECT="env") == "code:utils.load"
    with pytest.raises(tc.ConfigurationError, match="set_project"):
        tc.set_project("")


def test_an_installed_module_has_its_dotted_name_alone(tmp_path):
    import json

    from twat_cache._identity import function_names

    assert function_names.function_name(json.loads) == "json.loads"
    assert function_names.function_name(pytest.importorskip) == "_pytest.outcomes.importorskip"


@pytest.mark.parametrize("name", ["plugin", "plugin.a"])
def test_two_files_loaded_under_one_module_name_in_one_process(name, place):
    for which, factor in (("p", 10), ("q", 1000)):
        place.file(f"{which}/plugin.py", LOAD.format(factor))
    code = f"""
        import importlib.util, sys
        def load(path):
            spec = importlib.util.spec_from_file_location({name!r}, path)
            module = importlib.util.module_from_spec(spec)
            REGISTER
            spec.loader.exec_module(module)
            return module
        p, q = load("p/plugin.py"), load("q/plugin.py")
        print(p.load(1), q.load(1))
        """
    assert place.run("-c", textwrap.dedent(code.replace("REGISTER", "pass"))) == "ran ran 10 1000"
    assert place.run("-c", textwrap.dedent(code.replace("REGISTER", f"sys.modules[{name!r}] = module"))).endswith(
        "10 1000"
    )


def test_namespace_packages_in_two_checkouts(place):
    for which, factor in (("p", 10), ("q", 1000)):
        place.write(**{f"{which}__space__part__utils": LOAD.format(factor)})
        place.write(**{f"{which}__main": "from space.part import utils\nprint(utils.load(1))\n"})
    assert [place.run(f"{which}/main.py") for which in "pq"] == ["ran 10", "ran 1000"]


def test_exec_of_one_text_in_two_modules(place):
    place.write(
        a="K = 10\nimport text\nexec(text.T)\n", b="K = 1000\nimport text\nexec(text.T)\n",
        text=f"T = {LOAD.format('K')!r}", main="import sys, importlib\nprint(importlib.import_module(sys.argv[1]).load(1))\n",
    )  # fmt: skip
    assert [place.run("main.py", which) for which in "abab"] == ["ran 10", "ran 1000", "10", "1000"]


# The ways to start a program

RUNNERS = {
    "plain": ["{}"],
    "relative": ["./{}"],
    "cProfile": ["-m", "cProfile", "-o", os.devnull, "{}"],
    "trace": ["-m", "trace", "--count", "-C", "covers", "{}"],
    "runpy": ["-c", "import runpy, sys; runpy.run_path('{}', run_name='__main__')"],
    "exec": ["-c", "exec(compile(open('{0}').read(), '{0}', 'exec'), {{'__name__': '__main__', '__file__': '{0}'}})"],
    "loader": ["-c", "import importlib.util as u; s = u.spec_from_file_location('conf', '{}'); m = u.module_from_spec(s);"
               " s.loader.exec_module(m)"],
}  # fmt: skip


@pytest.mark.parametrize("runner", RUNNERS)
def test_scripts_under_a_runner_are_told_apart_and_found_from_every_folder(runner, place):
    place.write(a__main=LOAD.format(10) + "print(load(1))", b__main=LOAD.format(1000) + "print(load(1))")
    command = RUNNERS[runner]

    def result(path, cwd):
        return place.run(*[part.format(path) for part in command], cwd=cwd).splitlines()[0]

    assert [result("main.py", which) for which in "ab"] == ["ran 10", "ran 1000"]
    assert result("../a/main.py", "b") == "10"


def test_folders_with_a_main_module_and_modules_that_run_as_main(place):
    for which, factor in (("p", 10), ("q", 1000)):
        place.write(**{f"{which}__app____main": ""})
        place.file(f"{which}/app/__main__.py", LOAD.format(factor) + "print(load(1))")
        place.file(f"{which}/app/__init__.py", LOAD.format(factor + 1))
    assert [place.run("app", cwd=which) for which in "pqp"] == ["ran 10", "ran 1000", "10"]
    assert [place.run("-m", "app", cwd=which) for which in "pqp"] == ["ran 10", "ran 1000", "10"]
    assert place.run("-c", "import app; print(app.load(1))", cwd="p") == "ran 11"


def test_zipapps_whose_functions_read_alike(place):
    for which, factor in (("p", 10), ("q", 1000)):
        main = "from twat_cache import bcache\nfrom helper import by\n@bcache\ndef load(x):\n    return by(x)\nprint(load(1))\n"
        place.file(f"{which}/__main__.py", main + "import mod\nprint(mod.load(1))\n")
        place.file(f"{which}/helper.py", f"def by(x):\n    print('ran', end=' ')\n    return x * {factor}\n")
        place.file(f"{which}/mod.py", LOAD.format(factor))
        zipapp.create_archive(place.root / which, place.root / f"{which}.pyz")
    runs = [place.run(f"{which}.pyz").split("\n") for which in "pqp"]
    assert runs == [["ran 10", "ran 10"], ["ran 1000", "ran 1000"], ["10", "10"]]


FROZEN = """
    import sys
    sys.frozen, sys._MEIPASS, sys.executable = True, sys.argv[1], sys.argv[2]
    sys.path.insert(0, sys._MEIPASS)
    text = open(sys._MEIPASS + "/main.py").read()
    main = sys.modules["__main__"]
    main.__file__ = sys._MEIPASS + "/main.py"
    exec(compile(text, "main.py", "exec"), main.__dict__)
"""


def test_frozen_programs_have_their_own_names_wherever_they_are_unpacked(place):
    place.file("start.py", FROZEN)
    for unpacked, factor in (("u1", 10), ("u2", 10), ("u3", 1000)):
        place.write(**{f"{unpacked}__main": LOAD.format(factor) + "import mod\nprint(load(1), mod.load(1))\n"})
        place.write(**{f"{unpacked}__mod": LOAD.format(factor)})
    place.file("bin/shop", "one"), place.file("moved/shop", "one"), place.file("other/shop", "two")
    start = place.root / "start.py"
    programs = [("u1", "bin"), ("u2", "bin"), ("u2", "moved"), ("u3", "other"), ("u3", "other")]
    out = [place.run(start, place.root / u, place.root / b / "shop", cwd=b) for u, b in programs]
    assert out == ["ran ran 10 10", "10 10", "10 10", "ran ran 1000 1000", "1000 1000"]


def test_standard_input_the_command_line_and_doctests(place):
    text = "K = {}\n" + LOAD.format("K") + "print(load(1))\n"
    assert [place.run("-", text=text.format(k)) for k in (10, 1000, 10)] == ["ran 10", "ran 1000", "10"]
    assert place.run("-c", text.format(1000)) == "1000", "the same code with the same constant"
    for which in ("p", "q"):
        lines = [
            ">>> from twat_cache import bcache",
            f">>> K = {which!r}",
            ">>> @bcache",
            "... def load(x): return x * K",
        ]
        place.file(f"{which}/mod.py", "\n".join(['"""', *lines, ">>> load(1)", repr(which), '"""']))
        place.run("-m", "doctest", "mod.py", cwd=which)


def test_modules_that_pytest_imports_by_path(place):
    for which, factor in (("p", 10), ("q", 1000)):
        place.file(f"{which}/test_it.py", LOAD.format(factor) + f"def test_it():\n    assert load(1) == {factor}\n")
    place.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "p", "q")


def test_a_module_that_is_loaded_again_keeps_its_results(place):
    place.write(utils=LOAD.format(10))
    again = "import utils, importlib\nold = utils.load\nold(1)\nnew = importlib.reload(utils).load\n"
    assert place.run("-c", again + "print(new(1), new is old)\n") == "ran 10 False"


# Workers

WORKERS = (
    LOAD.format("{}")
    + """
import multiprocessing as mp, dataclasses, sys
@dataclasses.dataclass(frozen=True)
class Point:
    x: int
@bcache
def move(point):
    print('ran', end=' ')
    return Point(point.x + {})
if __name__ == '__main__':
    with mp.get_context(sys.argv[1]).Pool(1) as pool:
        there = pool.map(load, [1]), pool.map(move, [Point(1)])[0].x
    print(there, load(1), move(Point(1)).x)
"""
)


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_workers_share_with_their_script_and_with_no_other(method, place):
    place.write(a=WORKERS.format(10, 10), b=WORKERS.format(1000, 1000))
    out = {which: place.run(f"{which}.py", method) for which in "ab"}
    assert out["a"].endswith("([10], 11) 10 11") and out["b"].endswith("([1000], 1001) 1000 1001")
    assert "ran" not in out["a"].split("([")[1], "the parent finds what its worker computed"
    place.file("pkg/__init__.py", "")
    place.file("pkg/work.py", WORKERS.format(7, 7))
    assert place.run("-m", "pkg.work", method).endswith("([7], 8) 7 8")


# Stores that machines share

SHARED = """
from twat_cache import ucache
@ucache(preferred_engine="redis")
def load(x):
    print('ran', end=' ')
    return x * {}
print(load(1), load.cache_parameters()["engine"])
"""


def _mounts():
    return subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _mounts(), reason="mount namespaces are not allowed here")
def test_two_containers_with_one_path_and_one_server(place):
    (place.root / "app").mkdir()
    for which, factor in (("p", 10), ("q", 1000)):
        # The code of both reads alike: the helpers differ.
        place.file(f"{which}/main.py", SHARED.format("by()").replace("print(load", "from utils import by\nprint(load"))
        place.write(**{f"{which}__utils": f"def by():\n    return {factor}\n"})

    def contained(which, url):
        home, app = place.root / f"home-{which}", place.root / "app"
        mount = f"mount --bind {place.root / which} {app} && exec {sys.executable} {app}/main.py"
        env = {**place.env, "XDG_DATA_HOME": str(home), "TWAT_CACHE_REDIS_URL": url, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(["unshare", "-m", "sh", "-c", mount], env=env, capture_output=True, text=True, timeout=60)
        return done.stdout.strip() or done.stderr

    with redis_server() as url:
        assert [contained(which, url) for which in "pqpq"] == [
            "ran 10 redis",
            "ran 1000 redis",
            "10 redis",
            "1000 redis",
        ]


def test_names_in_shared_stores_carry_the_code_and_the_machine(place, monkeypatch, recwarn):
    from twat_cache._config import opening
    from twat_cache._identity import function_names

    monkeypatch.setattr(opening, "_warned", set())
    scope = {"__name__": "nowhere"}
    path = place.file("x.py", "def f(x): return x\ndef g(x): return x + 1\n")
    exec(compile(path.read_text(), str(path), "exec"), scope)
    monkeypatch.setenv("XDG_DATA_HOME", str(place.root / "m1"))
    with pytest.warns(UserWarning, match="name= or namespace=.*project"):
        one = function_names.stored_name(scope["f"], shared=True).text
    assert one == function_names.stored_name(scope["f"], shared=True).text and one.startswith(f"{path}:__main__.f#")
    monkeypatch.setenv("XDG_DATA_HOME", str(place.root / "m2"))
    two = function_names.stored_name(scope["f"], shared=True).text
    assert one != two and one.partition("!")[0] == two.partition("!")[0]
    assert len(two.partition("!")[2].partition("~")[0]) == 32
    monkeypatch.setenv("XDG_DATA_HOME", "/proc/nowhere")
    assert (
        function_names.stored_name(scope["f"], shared=True).text
        == function_names.stored_name(scope["f"], shared=True).text
    )
    assert function_names.stored_name(scope["f"], shared=True, spaced=True).text == one.partition("!")[0] + "".join(
        one.partition("~")[1:]
    )
    assert "!" not in function_names.stored_name(place_of_a_project, shared=True).text


def place_of_a_project():
    pass
