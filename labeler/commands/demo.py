"""Bare `earmark`: the demo, on real acted speech where there is some, else on a synthetic corpus."""

from __future__ import annotations

import os
import threading
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labeler.commands.options import DEFAULT_WORKSPACE, Workspace, annotator_name

if TYPE_CHECKING:
    from labeler.service import Project
    from pipelines.corpora.speaking import Speaking

PREFERRED = ("emodb", "ravdess")
SYNTHETIC = (
    "These clips are synthetic (a formant synthesiser speaking by rules): good for a tour, no evidence about real "
    "emotion. Real acted speech instead: `earmark corpus emodb`, then `earmark --workspace emodb`."
)


def demo(
    context: typer.Context,
    workspace: Workspace = DEFAULT_WORKSPACE,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT", min=1, max=65535, help="By default 7860, or the next one that is free.", show_default=False
        ),
    ] = None,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Label short audio clips with a fraction of the labels.

    Without a command it shows the demo: real clips under EARMARK_CORPORA if there are any, else clips that it speaks
    itself. It never waits for a network. The second time it goes on where you stopped.
    """
    if context.invoked_subcommand is not None:
        # `earmark --workspace W status` means the same as `earmark status --workspace W`.
        commands = getattr(context.command, "commands", {})
        context.default_map = {name: {"workspace": str(workspace)} for name in commands}
        return
    if show_version:
        print(f"earmark {version('earmark')}")
        return
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from labeler.commands.serving import Serving, serve
    from labeler.web.server import listen

    listen(port=port).close()  # refused before a workspace is made
    project, speaking = open_demo(workspace)

    def finish(stop: threading.Event) -> None:
        if speaking is not None:
            add_rest(project, speaking, stop)

    serve(project, Serving(annotator=annotator_name(None), port=port), beside=finish)


def open_demo(workspace: Path) -> tuple[Project, Speaking | None]:
    """The demo's project, and the program that still speaks its clips if there is one."""
    from db.clips import sources
    from labeler.commands.setup import Wishes, prepare
    from labeler.service import open_project
    from pipelines.corpora import synthetic

    folder = (workspace / "synthetic").absolute()
    by = annotator_name(None)
    if (workspace / "earmark.db").is_file():
        project = open_project(workspace)
        before = sources(project.store)
        if before and not any(one.location == str(synthetic.manifest(folder)) for one in before):
            print(f"Going on with {before[0].location}; another workspace starts anew: earmark --workspace DIR")
            return project, None
        project.store.close()
        if before:
            return _synthetic(workspace, folder, by)
    manifest = real_corpus()
    if manifest is None:
        return _synthetic(workspace, folder, by)
    project, said = prepare(workspace, str(manifest), Wishes(speech_model=local_speech_model()), by=by)
    print("\n".join(said), flush=True)
    return project, None


def _synthetic(workspace: Path, folder: Path, by: str) -> tuple[Project, Speaking | None]:
    from db.rounds import set_notice
    from labeler.commands.setup import Wishes, prepare
    from pipelines.corpora import synthetic
    from pipelines.corpora.speaking import Speaking

    speaking = None if synthetic.is_complete(folder) else Speaking(folder)
    manifest = synthetic.manifest(folder) if speaking is None else speaking.first()
    wishes = Wishes(speech_model=local_speech_model(), synthetic=True, name="demo, synthetic")
    project, _ = prepare(workspace, str(manifest), wishes, by=by)
    set_notice(project.store, "synthetic", SYNTHETIC)
    print(f"Found   {len(synthetic.recipe())} synthetic clips in {folder}")
    print("        real acted speech instead: earmark corpus emodb, then earmark --workspace emodb")
    print(f"Labels  {project.workspace / 'earmark.db'}", flush=True)
    return project, speaking


def add_rest(project: Project, speaking: Speaking, stop: threading.Event) -> None:
    """Once all clips are spoken and the worker has read the first ones, have it read the manifest again."""
    from db.clips import add_source, sources
    from db.rounds import set_notice
    from pipelines.errors import PipelineError

    try:
        if not speaking.rest(stop):
            return
    except PipelineError as error:
        set_notice(project.store, "speaking", str(error))
        return
    # Not while a scan runs: it would end as if it had seen the rest.
    while any(one.scanned_at is None for one in sources(project.store)):
        if stop.wait(0.2):
            return
    set_notice(project.store, "speaking", None)
    source = next(one for one in sources(project.store) if one.location == str(speaking.manifest))
    add_source(project.store, source.root, source.kind, source.location, source.options)


def real_corpus() -> Path | None:
    """The manifest of real clips to show: EmoDB, RAVDESS, or the first other one under EARMARK_CORPORA with audio."""
    from labeler.commands.corpus import corpora_folder
    from pipelines.errors import PipelineError
    from pipelines.sources import open_listing

    folder = corpora_folder()
    names = [*PREFERRED, *sorted(path.parent.name for path in folder.glob("*/manifest.csv"))]
    for name in dict.fromkeys(names):
        path = folder / name / "manifest.csv"
        if not path.is_file():
            continue
        try:
            listing = open_listing(path)
        except PipelineError:
            continue
        if len(listing.classes) >= 2 and listing.rows and (listing.root / listing.rows[0].path).is_file():
            return path
    return None


def local_speech_model() -> str | None:
    """The speech model under EARMARK_MODELS, if there is one; None means the default."""
    folder = Path(os.environ.get("EARMARK_MODELS") or Path.home() / "earmark-data" / "models") / "whisper-base-encoder"
    return str(folder) if (folder / "config.json").is_file() else None
