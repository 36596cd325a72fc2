"""The response cache of examples/python, inside Starlette and FastAPI."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

from twat_cache import Cache

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "python" / "response_cache.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("response_cache", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["memory", "disk"])
def cache(request, tmp_path):
    with Cache(request.param, tmp_path if request.param == "disk" else None) as cache:
        yield cache


@pytest.fixture
def site(example, cache):
    ran = []

    async def page(request):
        ran.append(str(request.url))
        await asyncio.sleep(0.02)
        return PlainTextResponse(f"page {len(ran)}")

    def with_headers(**headers):
        async def view(request):
            ran.append(str(request.url))
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return JSONResponse({"n": len(ran)}, headers=named)

        return view

    async def stream(request):
        ran.append(str(request.url))

        async def pieces():
            for i in range(3):
                yield f"{i}," * (100_000 if request.query_params.get("long") else 1)

        return StreamingResponse(pieces(), media_type="text/plain")

    async def broken(request):
        ran.append(str(request.url))
        return PlainTextResponse("no", status_code=500)

    app = Starlette(
        routes=[
            Route("/page", page, methods=["GET", "POST"]),
            Route("/short", with_headers(cache_control="max-age=1")),
            Route("/private", with_headers(cache_control="private")),
            Route("/cookie", with_headers(set_cookie="a=b")),
            Route("/vary", with_headers(vary="X-User")),
            Route("/language", with_headers(vary="Accept-Language")),
            Route("/stream", stream),
            Route("/broken", broken),
        ]
    )
    app.add_middleware(example.ResponseCache, cache=cache, ttl=60, max_body=100_000)
    return app, ran


def ask(app, *requests):
    """Responses of requests one after the other: a path, or a path and headers or a method."""

    async def main():
        found = []
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://site") as client:
            for request in requests:
                path, headers, method = (request, {}, "GET") if isinstance(request, str) else (*request, "GET")[:3]
                found.append(await client.request(method, path, headers=headers))
        return found

    return asyncio.run(main())


def test_the_second_request_is_a_hit_with_the_same_body_and_headers(site):
    app, ran = site
    first, second, other = ask(app, "/page", "/page", "/page?x=1")
    assert first.text == second.text == "page 1" and other.text == "page 2" and len(ran) == 2
    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("miss", "hit")
    assert second.headers["content-type"] == first.headers["content-type"] and second.headers["age"] == "0"
    assert second.status_code == 200


def test_who_has_it_is_told_so(site):
    app, ran = site
    _, hit = ask(app, "/page", "/page")
    known, unknown, head = ask(
        app,
        ("/page", {"If-None-Match": hit.headers["etag"]}),
        ("/page", {"If-None-Match": '"x"'}),
        ("/page", {}, "HEAD"),
    )
    assert known.status_code == 304 and known.content == b"" and unknown.text == "page 1" and len(ran) == 1
    assert head.content == b"" and head.headers["etag"] == hit.headers["etag"]


@pytest.mark.parametrize("path", ["/private", "/cookie", "/vary", "/broken"])
def test_what_may_not_be_kept_is_not(site, path):
    app, ran = site
    ask(app, path, path)
    assert len(ran) == 2


@pytest.mark.parametrize("header", ["Authorization", "Cookie"])
def test_requests_of_somebody_go_past_it(site, header):
    app, ran = site
    ask(app, "/page", ("/page", {header: "secret"}), "/page", ("/page", {"Cache-Control": "no-store"}))
    assert len(ran) == 3


def test_a_post_is_never_answered_from_it(site):
    app, ran = site
    ask(app, "/page", ("/page", {}, "POST"))
    assert len(ran) == 2


def test_languages_are_told_apart(site):
    app, ran = site
    german, french, again = ask(app, *(("/language", {"Accept-Language": one}) for one in ("de", "fr", "de")))
    assert german.json() == again.json() != french.json() and len(ran) == 2


def test_max_age_goes_before_the_ttl(site):
    import time

    app, ran = site
    ask(app, "/short", "/short")
    assert len(ran) == 1
    time.sleep(1.2)
    ask(app, "/short")
    assert len(ran) == 2


def test_streams_are_kept_up_to_the_bound_and_pass_through_beyond(site):
    app, ran = site
    short = ask(app, "/stream", "/stream")
    assert [one.text for one in short] == ["0,1,2,"] * 2 and len(ran) == 1
    long = ask(app, "/stream?long=1", "/stream?long=1")
    assert [len(one.text) for one in long] == [600_000] * 2 and len(ran) == 3


def test_concurrent_requests_run_it_once(site):
    app, ran = site

    async def main():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://site") as client:
            return await asyncio.gather(*[client.get("/page") for _ in range(10)])

    assert {one.text for one in asyncio.run(main())} == {"page 1"} and len(ran) == 1


def test_concurrent_requests_for_what_is_not_kept_do_not_wait_in_line(example, cache):
    at_once = most = 0

    async def private(request):
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.05)
        at_once -= 1
        return PlainTextResponse("mine", headers={"Cache-Control": "private"})

    app = Starlette(routes=[Route("/private", private)])
    app.add_middleware(example.ResponseCache, cache=cache)

    async def main():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://site") as client:
            return await asyncio.gather(*[client.get("/private") for _ in range(10)])

    assert len(asyncio.run(main())) == 10 and most == 9


def test_inside_fastapi(example, cache, monkeypatch):
    app = example.make_app(cache)
    first, second, other = ask(app, "/report/acme", "/report/acme", "/report/acme?year=2025")
    assert first.json() == second.json() and first.json()["customer"] == "acme" and other.json()["year"] == 2025
    assert second.headers["x-cache"] == "hit"
