"""Where results are stored: a folder, a path, a server, on every decorator that can have one."""

from __future__ import annotations

import os

import pytest

import twat_cache as tc
from frameworks import redis_server
from twat_cache.exceptions import ConfigurationError


@pytest.mark.parametrize("decorator", [tc.bcache, tc.fcache, tc.ucache, tc.cache], ids=lambda d: d.__name__)
@pytest.mark.parametrize("written", ["$PLACE/a", "~/b", "./c", "d/e"])
def test_a_path_is_read_as_people_write_it(decorator, written, tmp_path, monkeypatch):
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir(), work.mkdir()
    monkeypatch.setenv("PLACE", str(tmp_path / "place"))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(work)
    f = decorator(path=written, name="f")(lambda x: x)
    f(1)
    expected = {
        "$PLACE/a": tmp_path / "place" / "a", "~/b": home / "b", "./c": work / "c", "d/e": work / "d" / "e",
    }[written]  # fmt: skip
    assert f.cache_parameters()["folder"] == str(expected)
    os.chdir(tmp_path)
    assert f(1) == 1 and f.cache_info().hits == 1


@pytest.mark.parametrize("decorator", [tc.ucache, tc.cache], ids=lambda d: d.__name__)
def test_a_url_names_the_server(decorator):
    with redis_server() as url:
        _share(decorator, url)


def _share(decorator, url):
    def make():
        ran = []
        return ran, decorator(url=url, name="test_places.served")(lambda x: ran.append(x) or x + 1)

    (ran, f), (again, g) = make(), make()
    f.cache_clear()
    assert (f(1), g(1), ran, again) == (2, 2, [1], [])
    assert f.cache_parameters()["engine"] == "redis"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda f: tc.mcache(path="x")(f), "path: results in memory have none; use bcache"),
        (lambda f: tc.mcache(url="redis://x")(f), "url: results in memory have none"),
        (lambda f: tc.mcache(folder_name="x")(f), "folder_name: results in memory have none; use bcache"),
        (lambda f: tc.bcache(folder_name="./cache")(f), "found: './cache'; use path= for a directory"),
        (lambda f: tc.bcache(folder_name="~/cache")(f), "use path="),
        (lambda f: tc.bcache("a", path="b")(f), "path: expected path or folder_name, got both"),
        (lambda f: tc.bcache(path="")(f), "path: expected a directory, got an empty text"),
        (lambda f: tc.ucache(path=7)(f), "path: expected a path, got: 7"),
        (lambda f: tc.ucache(url="http://x", name="f")(f), "url: unknown scheme 'http'"),
    ],
)
def test_a_wrong_place_is_an_error_that_says_what_to_do(call, text):
    with pytest.raises(ConfigurationError) as error:
        call(lambda x: x)
    assert text in str(error.value)
