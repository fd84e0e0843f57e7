"""HTTP byte ranges (RFC 9110, section 14) of a body that lies in memory."""

from __future__ import annotations

import re

from starlette.responses import Response

_ONE_RANGE = re.compile(r"bytes=\s*(\d*)-(\d*)\s*", re.ASCII)


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return (first, last) of the one range asked for, both included, or None where the whole body is the answer.

    Unknown units, several ranges and malformed headers are ignored, as the standard allows.

    Raises:
        ValueError: the range lies outside the body (416).
    """
    match = _ONE_RANGE.fullmatch(header) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    start, end = match.groups()
    if not start:
        length = min(int(end), size)
        if length == 0:
            raise ValueError("an empty suffix")
        return size - length, size - 1
    first, last = int(start), int(end) if end else size - 1
    if end and last < first:
        return None
    if first >= size:
        raise ValueError("behind the end")
    return first, min(last, size - 1)


def ranged(body: bytes, media_type: str, etag: str, headers: dict[str, str], asked: dict[str, str | None]) -> Response:
    """Answer with `body` or a part of it: 200, 206, 304 or 416.

    `asked` holds the request's `range`, `if-range` and `if-none-match`. `etag` is the quoted, strong tag.
    """
    common = {**headers, "ETag": etag, "Accept-Ranges": "bytes"}
    tags = [tag.strip().removeprefix("W/") for tag in (asked.get("if-none-match") or "").split(",")]
    if etag in tags or "*" in tags:
        return Response(status_code=304, headers=common)
    wanted = asked.get("range") if asked.get("if-range") in (None, etag) else None
    try:
        part = byte_range(wanted, len(body))
    except ValueError:
        return Response(status_code=416, headers={**common, "Content-Range": f"bytes */{len(body)}"})
    if part is None:
        return Response(body, media_type=media_type, headers=common)
    first, last = part
    common["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
    return Response(body[first : last + 1], status_code=206, media_type=media_type, headers=common)
