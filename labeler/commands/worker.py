"""`earmark worker`: what learns, as a program of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from labeler.commands.options import DEFAULT_WORKSPACE, Device, Workspace, existing


def worker(
    workspace: Workspace = DEFAULT_WORKSPACE,
    once: Annotated[bool, typer.Option("--once", help="End when there is nothing left to do.")] = False,
    device: Annotated[Device, typer.Option(metavar="auto|cpu|cuda", help="Where models run.")] = Device.auto,
) -> None:
    """Read clips, compute features, fit models and choose the next clips, until it is stopped.

    `earmark label` starts one by itself; start more of them for a large import, or one with --once after
    `earmark label --no-worker`.
    """
    existing(workspace)
    from pipelines.worker import run

    run(workspace, once=once, device=device.value)
