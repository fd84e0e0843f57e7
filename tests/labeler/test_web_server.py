"""Where the pages are served, and that serving loads no model."""

from __future__ import annotations

import subprocess
import sys

import pytest

from labeler.errors import UsageError
from labeler.web.server import FIRST_PORT, listen


def test_a_free_port_is_chosen_where_the_first_is_taken() -> None:
    with listen() as one, listen() as other:
        assert one.getsockname()[1] != other.getsockname()[1]
        assert min(one.getsockname()[1], other.getsockname()[1]) >= FIRST_PORT


def test_a_port_that_was_asked_for_and_is_taken_is_named() -> None:
    with listen(port=0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"--port {port}: .*in use"):
            listen(port=port)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org", ""])
def test_only_this_machine_is_served(host: str) -> None:
    with pytest.raises(UsageError, match="there is no sign-in yet"):
        listen(host)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_cannot_be_is_refused(port: int) -> None:
    with pytest.raises(UsageError, match=r"0 .* to 65535"):
        listen(port=port)


def test_the_whole_application_loads_no_model_library() -> None:
    """Every module of `labeler`, so that no page or route brings torch in by the back door."""
    code = (
        "import importlib, pkgutil, sys, labeler\n"
        "for module in pkgutil.walk_packages(labeler.__path__, 'labeler.'): importlib.import_module(module.name)\n"
        "print(sorted({'torch', 'transformers', 'opensmile', 'torchaudio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
