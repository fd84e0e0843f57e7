"""Sound and picture of known clips, and the one script that comes from a package; no other file is served."""

from __future__ import annotations

import os
import tempfile
from collections import OrderedDict
from pathlib import Path
from threading import Lock

import plotly
from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from db.clips import locate
from labeler.service import Project
from labeler.web.problems import Refused
from labeler.web.ranges import ranged
from pipelines.audio import Sound, Unusable, decode, picture, wav_bytes

PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
FAVICON = Path(__file__).parent / "favicon.svg"
#: A clip's id is the hash of its content: what stands at its address never changes.
_KEEP = {"Cache-Control": "private, max-age=86400, immutable", "X-Content-Type-Options": "nosniff"}
_WAVS_KEPT = 16


class Sounds:
    """The last few clips as WAV, so that the parts a browser asks for one after the other are decoded once."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    def wav(self, clip: str) -> bytes:
        """Return the clip as a 16-bit WAV at its own rate and loudness.

        Raises:
            UnknownClip: there is no such clip.
            Refused: 410, its file cannot be read any more.
        """
        with self._lock:
            if clip in self._kept:
                self._kept.move_to_end(clip)
                return self._kept[clip]
        body = wav_bytes(_sound(*locate(self.project.store, clip)))
        with self._lock:
            self._kept[clip] = body
            while len(self._kept) > _WAVS_KEPT:
                self._kept.popitem(last=False)
        return body

    def png(self, clip: str) -> bytes:
        """Return the clip's picture from `cache/`, drawn now if it is not there. Raises as `wav` does."""
        place = locate(self.project.store, clip)
        cached = self.project.workspace / "cache" / f"{clip}.png"
        try:
            return cached.read_bytes()
        except FileNotFoundError:
            body = picture(_sound(*place))
            _write(cached, body)
            return body


def _sound(path: Path, start: float | None, end: float | None) -> Sound:
    try:
        return decode(path, start, end)
    except Unusable as error:
        raise Refused(410, f"the clip's file cannot be read: {error}") from error


def _write(path: Path, body: bytes) -> None:
    """Write the whole file or none of it; a cache that cannot be written costs time and nothing else."""
    try:
        path.parent.mkdir(exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(body)
        os.replace(temporary, path)
    except OSError:
        return


def media_routes(project: Project) -> APIRouter:
    """Return the routes `/media/{clip}.wav`, `/media/{clip}.png`, `/plotly.min.js` and `/favicon.ico`."""
    router = APIRouter()
    sounds = Sounds(project)

    def reply(body: bytes, media_type: str, etag: str, request: Request) -> Response:
        asked = {name: request.headers.get(name) for name in ("range", "if-range", "if-none-match")}
        return ranged(body, media_type, etag, _KEEP, asked)

    @router.api_route("/media/{clip}.wav", methods=["GET", "HEAD"])
    def wav(clip: str, request: Request) -> Response:
        return reply(sounds.wav(clip), "audio/wav", f'"{clip}-wav"', request)

    @router.api_route("/media/{clip}.png", methods=["GET", "HEAD"])
    def png(clip: str, request: Request) -> Response:
        return reply(sounds.png(clip), "image/png", f'"{clip}-png"', request)

    @router.api_route("/plotly.min.js", methods=["GET", "HEAD"])
    def plotly_script() -> Response:
        return FileResponse(PLOTLY, media_type="text/javascript", headers={"Cache-Control": "private, max-age=86400"})

    @router.api_route("/favicon.ico", methods=["GET", "HEAD"])
    def favicon() -> Response:
        return FileResponse(FAVICON, media_type="image/svg+xml", headers={"Cache-Control": "private, max-age=86400"})

    return router
