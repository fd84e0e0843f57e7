"""Serves the application with uvicorn, on a port of this machine."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn
from fastapi import FastAPI

from labeler.errors import UsageError
from labeler.service import Project
from labeler.web.guard import is_loopback

FIRST_PORT = 7860
PORTS_TRIED = 50


class Server(uvicorn.Server):
    """uvicorn that returns to its caller on SIGINT and SIGTERM, so that the caller can stop what it started."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop serving on either signal; a second one stops without waiting."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: FrameType | None) -> None:
            self.handle_exit(number, frame)

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def run(
    project: Project,
    annotator: str,
    host: str = "127.0.0.1",
    port: int | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is called with the page's address once requests are accepted.

    Without `port` the first free one from 7860 on is taken.

    Raises:
        UsageError: the host is not this machine's loopback, or the port is taken or not allowed.
    """
    with listen(host, port) as listener:
        from labeler.web.app import build  # imports Gradio: whoever names a taken port need not wait for that

        server = make_server(build(project, annotator), ready, f"http://{_shown(host)}:{listener.getsockname()[1]}/")
        server.run(sockets=[listener])


def make_server(app: FastAPI, ready: Callable[[str], None] | None = None, url: str = "") -> Server:
    """Return a server of this application that calls `ready(url)` when it has started."""

    class Announcing(Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if ready is not None and not self.should_exit:
                ready(url)

    # A page keeps a stream open for Gradio's sake: stopping does not wait for it.
    settings = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=1, server_header=False
    )
    return Announcing(settings)


def listen(host: str = "127.0.0.1", port: int | None = None) -> socket.socket:
    """Return a listening socket on `port`, else on the first free port from 7860 on.

    Raises:
        UsageError: as `run`.
    """
    name = host.strip("[]")
    if not is_loopback(name):
        raise UsageError(
            f"--host {host}: there is no sign-in yet, so only this machine is served (127.0.0.1, localhost, ::1); "
            "reach it from elsewhere through a tunnel, such as `ssh -L 7860:localhost:7860`"
        )
    if port is not None and not 0 <= port <= 65535:
        raise UsageError(f"--port {port}: a port is a number from 0 (any free one) to 65535")
    for candidate in [port] if port is not None else [*range(FIRST_PORT, FIRST_PORT + PORTS_TRIED), 0]:
        try:
            return _bind(name, candidate)
        except OSError as error:
            if port is not None:
                raise UsageError(
                    f"--port {port}: {error.strerror or error}; give another one, or none to have a free one chosen"
                ) from error
    raise UsageError(f"no free port on {host}")


def _bind(name: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        # Without it, the port of a server that was killed a moment ago stays taken for a minute.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def _shown(host: str) -> str:
    return f"[{host.strip('[]')}]" if ":" in host else host
