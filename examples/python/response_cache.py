"""Whole responses of a FastAPI or Starlette application, kept in twat-cache.

    app = FastAPI()
    app.add_middleware(ResponseCache, cache=Cache("disk", "/var/cache/site", max_bytes=1 << 30), ttl=60)

What HTTP says is kept to: only GET (and HEAD from it) with status 200 is stored; requests with
Authorization, Cookie or `Cache-Control: no-store` go past it; responses with Set-Cookie, `no-store`,
`private`, `no-cache`, or a Vary on headers that are not among `vary` are not stored; `max-age` and
`s-maxage` go before `ttl`. A stored response has ETag and Age, and If-None-Match is answered with 304.
Concurrent requests for one page that is not there run it once. The middleware is ASGI alone, so it
serves streaming responses too: what is longer than `max_body` passes through, unkept.

Run it: `pip install fastapi uvicorn`, then `uvicorn response_cache:app`.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from typing import Any

from twat_cache import Cache

VARY = ("accept", "accept-encoding", "accept-language")


class ResponseCache:
    def __init__(
        self, app: Any, cache: Cache, ttl: float = 60, vary: tuple[str, ...] = VARY, max_body: int = 16 << 20
    ) -> None:
        self.app, self.cache, self.ttl, self.vary, self.max_body = app, cache, ttl, vary, max_body
        self.running: dict[tuple[str, ...], asyncio.Event] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return await self.app(scope, receive, send)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if {"authorization", "cookie", "range"} & headers.keys() or "no-store" in headers.get("cache-control", ""):
            return await self.app(scope, receive, send)
        key = self.key(scope, headers)
        page = await self.cache.aget(key)
        if page is None and scope["method"] == "HEAD":
            return await self.app(scope, receive, send)
        if page is None and key in self.running:
            # Somebody runs it. What turns out not to be kept is run by each who waited, side by side.
            await self.running[key].wait()
            page = await self.cache.aget(key)
            if page is None:
                return await self.run(key, scope, receive, send)
        if page is None:
            done = self.running[key] = asyncio.Event()
            try:
                return await self.run(key, scope, receive, send)
            finally:
                del self.running[key]
                done.set()
        return await answer(page, scope["method"], headers, send)

    def key(self, scope: Any, headers: dict[str, str]) -> tuple[str, ...]:
        path = scope.get("root_path", "") + scope["path"]
        query = scope["query_string"].decode("latin-1")
        return ("response", headers.get("host", ""), path, query, *(headers.get(name, "") for name in self.vary))

    async def run(self, key: tuple[str, ...], scope: Any, receive: Any, send: Any) -> None:
        """Runs the application, passes its response on, and keeps it if it may be kept."""
        start: dict[str, Any] = {}
        body = bytearray()
        whole = True

        async def listen(message: Any) -> None:
            nonlocal whole
            if message["type"] == "http.response.start":
                start.update(message)
                message = {**message, "headers": [*message["headers"], (b"x-cache", b"miss")]}
            elif message["type"] == "http.response.body" and whole:
                piece = message.get("body", b"")
                whole = len(body) + len(piece) <= self.max_body
                if whole:
                    body.extend(piece)
                else:
                    body.clear()
                if whole and not message.get("more_body", False):
                    await self.keep(key, start, bytes(body))
            await send(message)

        await self.app(scope, receive, listen)

    async def keep(self, key: tuple[str, ...], start: dict[str, Any], body: bytes) -> None:
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in start["headers"]]
        found = dict(headers)
        ttl = self.lifetime(found)
        if start["status"] != 200 or "set-cookie" in found or ttl <= 0:
            return
        if "etag" not in found:
            headers.append(("etag", f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'))
        await self.cache.aset(key, {"headers": headers, "body": body, "stored": time.time()}, ttl=ttl)

    def lifetime(self, headers: dict[str, str]) -> float:
        """Seconds; 0 for what must not be kept."""
        control = headers.get("cache-control", "").lower()
        varies = {name.strip() for name in headers.get("vary", "").lower().split(",") if name.strip()}
        if re.search(r"\b(no-store|private|no-cache)\b", control) or not varies <= set(self.vary):
            return 0
        given = re.search(r"\bs-maxage=(\d+)", control) or re.search(r"\bmax-age=(\d+)", control)
        return float(given.group(1)) if given else self.ttl


async def answer(page: dict[str, Any], method: str, asked: dict[str, str], send: Any) -> None:
    """A stored response, or 304 for who has it."""
    headers = [*page["headers"], ("x-cache", "hit"), ("age", str(max(0, int(time.time() - page["stored"]))))]
    etag = dict(page["headers"])["etag"].removeprefix("W/")
    known = {one.strip().removeprefix("W/") for one in asked.get("if-none-match", "").split(",")}
    same = etag in known or "*" in known
    if same:
        headers = [(name, value) for name, value in headers if name not in ("content-length", "content-type")]
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": 304 if same else 200, "headers": raw})
    await send({"type": "http.response.body", "body": b"" if same or method == "HEAD" else page["body"]})


def make_app(cache: Cache, ttl: float = 60) -> Any:
    """A small application to try it with."""
    from fastapi import FastAPI

    app = FastAPI()
    app.add_middleware(ResponseCache, cache=cache, ttl=ttl)

    @app.get("/report/{customer}")
    async def report(customer: str, year: int = 2026) -> dict[str, Any]:
        await asyncio.sleep(0.5)  # what is worth keeping takes time
        return {"customer": customer, "year": year, "made": time.time()}

    return app


def __getattr__(name: str) -> Any:
    """``uvicorn response_cache:app`` makes it; importing the module does not."""
    if name == "app":
        from twat_cache import get_cache_path

        return make_app(Cache("disk", get_cache_path("responses"), max_bytes=1 << 28))
    raise AttributeError(name)
