"""`python -m benchmarks` runs every benchmark, `... NAME [options]` one of them, `... list` says which there are.

A benchmark is a module here with a docstring and `main(arguments) -> exit code`; it prints what it measured.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

import benchmarks

NAMES = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__) if not module.name.startswith("_"))


def main(arguments: list[str]) -> int:
    """Run what `arguments` name; the exit code is the worst one."""
    if arguments == ["list"]:
        for name in NAMES:
            about = importlib.import_module(f"benchmarks.{name}").__doc__ or ""
            print(f"{name:20} {about.splitlines()[0]}")
        return 0
    if arguments and arguments[0] not in NAMES:
        print(f"no benchmark is called {arguments[0]!r}; allowed: list, {', '.join(NAMES)}", file=sys.stderr)
        return 2
    worst = 0
    for name in arguments[:1] or NAMES:
        print(f"== {name}", flush=True)
        worst = max(worst, importlib.import_module(f"benchmarks.{name}").main(arguments[1:]))
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
