"""Puts our styles and scripts into the head of each page's HTML.

Gradio's own `head=` is added by its script after the page has been painted once, which flashes the wrong theme.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: The browser itself sees to it that a page asks nobody but us, and that no other site puts it in a frame. Gradio and
#: plotly build functions and styles at run time.
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; base-uri 'self'; frame-ancestors 'self'"


class Head:
    """ASGI middleware: `make()` is asked for each load of a page in `paths` and put before its `</head>`."""

    def __init__(self, app: ASGIApp, paths: Collection[str], make: Callable[[], str]) -> None:
        self.app = app
        self.paths = frozenset(paths)
        self.make = make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, with the head added where the answer is a page."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] not in self.paths:
            await self.app(scope, receive, send)
            return
        start: Message | None = None
        body = b""

        async def collect(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            if start is None or not _is_html(start):
                if start is not None:
                    await send(start)
                    start = None
                await send(message)
                return
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            page = body.replace(b"</head>", self.make().encode() + b"\n</head>", 1)
            headers = MutableHeaders(raw=start["headers"])
            headers["content-length"] = str(len(page))
            headers["cache-control"] = "no-store"
            headers["content-security-policy"] = POLICY
            await send(start)
            await send({"type": "http.response.body", "body": page})

        await self.app(scope, receive, collect)


def _is_html(start: Message) -> bool:
    content = Headers(raw=start["headers"]).get("content-type", "")
    return start["status"] == 200 and content.startswith("text/html")
