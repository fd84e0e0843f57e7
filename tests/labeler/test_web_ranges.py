"""Byte ranges: what RFC 9110 says, on a body of ten bytes."""

from __future__ import annotations

import pytest

from labeler.web.ranges import byte_range, ranged

BODY = b"0123456789"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-3", (0, 3)),
        ("bytes=4-", (4, 9)),
        ("bytes=9-9", (9, 9)),
        ("bytes=2-99", (2, 9)),
        ("bytes=-3", (7, 9)),
        ("bytes=-99", (0, 9)),
        (None, None),
        ("bytes=5-2", None),
        ("bytes=0-1,3-4", None),
        ("items=0-3", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
    ],
)
def test_ranges(header: str | None, expected: tuple[int, int] | None) -> None:
    assert byte_range(header, len(BODY)) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=99-100", "bytes=-0"])
def test_a_range_outside_the_body_is_416_with_its_size(header: str) -> None:
    response = ranged(BODY, "text/plain", '"a"', {}, {"range": header})
    assert (response.status_code, response.headers["content-range"], response.body) == (416, "bytes */10", b"")


def test_a_part_is_206_with_its_place() -> None:
    response = ranged(BODY, "audio/wav", '"a"', {"X-Kept": "yes"}, {"range": "bytes=2-4"})
    assert (response.status_code, response.body) == (206, b"234")
    assert response.headers["content-range"] == "bytes 2-4/10"
    assert (response.headers["accept-ranges"], response.headers["x-kept"]) == ("bytes", "yes")


def test_if_range_gives_a_part_only_of_the_same_body() -> None:
    asked = {"range": "bytes=2-4", "if-range": '"a"'}
    assert ranged(BODY, "audio/wav", '"a"', {}, asked).status_code == 206
    assert ranged(BODY, "audio/wav", '"b"', {}, asked).status_code == 200


def test_a_body_that_the_browser_has_is_not_sent_again() -> None:
    response = ranged(BODY, "audio/wav", '"a"', {}, {"if-none-match": 'W/"x", "a"'})
    assert (response.status_code, response.body, response.headers["etag"]) == (304, b"", '"a"')
