"""`earmark corpus NAME`: an official corpus as a manifest."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from labeler.commands.options import DEFAULT_WORKSPACE, Workspace
from labeler.errors import UsageError


def corpora_folder() -> Path:
    """Where corpora lie: EARMARK_CORPORA, else ~/earmark-data/corpora."""
    return Path(os.environ.get("EARMARK_CORPORA") or Path.home() / "earmark-data" / "corpora")


def corpus_root(name: str, root: Path | None) -> Path:
    """The folder of the corpus of this name: as given, else the one under `corpora_folder`."""
    from pipelines.corpora import CORPORA

    return (root or corpora_folder() / (CORPORA[name].folder or name)).expanduser().absolute()


def there() -> dict[str, Path]:
    """The manifests that lie under `corpora_folder`, by the name of the corpus (that of its folder, where unknown)."""
    from pipelines.corpora import CORPORA

    found = {path.parent.name: path for path in sorted(corpora_folder().glob("*/manifest.csv"))}
    for name in CORPORA:
        path = corpus_root(name, None) / CORPORA[name].manifest
        if path.is_file():
            found[name] = path
    return found


def corpus(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Which corpus.", show_default=False)] = None,
    root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The corpus as its publisher hands it out. [default: $EARMARK_CORPORA/NAME]"),
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Read an official corpus into DIR/manifest.csv, ready for `label` and `replay`.

    `emodb` is fetched from its publisher with audb when it is not there yet; the others you obtain yourself.
    """
    from pipelines.corpora import CORPORA, read_corpus, write_manifest

    if name not in CORPORA:
        listed = ", ".join(CORPORA)
        raise UsageError(f"{'which corpus?' if name is None else f'no corpus is called {name!r}'}; allowed: {listed}")
    found = CORPORA[name]
    folder = corpus_root(name, root)
    print(f"{found.title}. {found.licence}", file=sys.stderr)
    reading = read_corpus(found, folder, say=lambda line: print(line, file=sys.stderr))
    path = write_manifest(reading, folder, found.manifest)
    speakers = len({row.speaker for row in reading.rows})
    print(f"{path}: {len(reading.rows):,} clips, {speakers} speakers, {', '.join(reading.classes)}")
    for where, reason in reading.refused[:10]:
        print(f"not used: {where}: {reason}", file=sys.stderr)
    if len(reading.refused) > 10:
        print(f"not used: {len(reading.refused) - 10:,} more", file=sys.stderr)
    for notice in reading.notices:
        print(notice, file=sys.stderr)
    place = [] if workspace == DEFAULT_WORKSPACE else ["--workspace", str(workspace)]
    print(f"next: {shlex.join(['earmark', 'label', str(path), *place])}")
