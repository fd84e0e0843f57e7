"""Who may talk to the server: a browser or script on this machine (or through a tunnel), and no page of another site.

A name that is not loopback in `Host` means DNS rebinding; a foreign `Origin` or `Sec-Fetch-Site` means that another
site's page sends the request. There is no sign-in yet, so nothing else stands between them and the clips.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


def is_loopback(name: str | None) -> bool:
    """Return whether this host name (no port; IPv6 without brackets) means this machine and no other."""
    if not name:
        return False
    name = name.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def refusal(headers: Headers) -> str | None:
    """Return in words why a request with these headers is refused, or None."""
    host = headers.get("host", "")
    if not is_loopback(_name(f"//{host}")):
        return f"Host is {host[:100]!r}; only localhost, 127.0.0.1 and [::1] are served"
    origin = headers.get("origin")
    if origin is not None and not (origin.startswith(("http://", "https://")) and is_loopback(_name(origin))):
        return f"Origin is {origin[:100]!r}; only Earmark's own pages may ask"
    if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
        return "another site's page asks; only Earmark's own pages may"
    return None


def _name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


class Guard:
    """ASGI middleware round everything that is served, Gradio included: 403 in words to whoever is refused."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] in ("http", "websocket"):
            reason = refusal(Headers(scope=scope))
            if reason is not None:
                if scope["type"] == "websocket":
                    await send({"type": "websocket.close", "code": 1008, "reason": reason[:120]})
                    return
                await JSONResponse({"reason": reason}, status_code=403)(scope, receive, send)
                return
        await self.app(scope, receive, send)
