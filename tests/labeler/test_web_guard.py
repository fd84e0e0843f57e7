"""Who is let in: loopback names with any port, and no page of another site."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from labeler.web.guard import is_loopback, refusal


@pytest.mark.parametrize(
    "name", ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.8.9.1", "::1", "a.localhost"]
)
def test_loopback_names_are_known(name: str) -> None:
    assert is_loopback(name)


@pytest.mark.parametrize(
    "name", ["", None, "example.org", "localhost.example.org", "10.0.0.1", "0.0.0.0", "127.0.0.1.nip.io"]
)
def test_other_names_are_not_loopback(name: str | None) -> None:
    assert not is_loopback(name)


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "localhost:7860"},
        {"host": "127.0.0.1"},
        {"host": "[::1]:7860"},
        {"host": "localhost:9000", "origin": "http://localhost:9000"},
        {"host": "localhost:9000", "origin": "https://127.0.0.1:9000", "sec-fetch-site": "same-site"},
        {"host": "localhost", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    ],
)
def test_our_own_pages_and_tunnels_pass(headers: dict[str, str]) -> None:
    assert refusal(Headers(headers)) is None


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({}, "Host"),
        ({"host": "attacker.example:7860"}, "attacker.example"),
        ({"host": "localhost@attacker.example"}, "attacker.example"),
        ({"host": "[::1"}, "Host"),
        ({"host": "localhost", "origin": "https://attacker.example"}, "attacker.example"),
        ({"host": "localhost", "origin": "null"}, "Origin"),
        ({"host": "localhost", "origin": "file://localhost"}, "Origin"),
        ({"host": "localhost", "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, "another site"),
    ],
)
def test_others_are_refused_with_the_reason(headers: dict[str, str], named: str) -> None:
    assert named in str(refusal(Headers(headers)))
