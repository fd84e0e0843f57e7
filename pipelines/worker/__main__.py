"""`python -m pipelines.worker --workspace DIR [--device D] [--parent PID] [--once]`: what the supervisor starts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from db.errors import StoreError
from pipelines.errors import PipelineError
from pipelines.worker import run


def main() -> int:
    """Return the exit code: 0 done, 1 failed with one line."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.worker", description="Earmark's worker")
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--parent", type=int, help="end when this process ends")
    parser.add_argument("--once", action="store_true", help="end when nothing is left to do")
    given = parser.parse_args()
    try:
        run(given.workspace, once=given.once, device=given.device, parent=given.parent)
    except (PipelineError, StoreError) as error:
        print(f"earmark worker: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
