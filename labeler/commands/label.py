"""`earmark label SOURCE`: label a folder or a manifest."""

from __future__ import annotations

from typing import Annotated

import typer

from labeler.commands.options import DEFAULT_WORKSPACE, Device, Workspace, annotator_name
from labeler.errors import UsageError

EXAMPLE = "earmark label recordings/ --classes anger,happiness,neutral,sadness"


def label(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            help="A folder of audio, a manifest (csv, tsv, jsonl, parquet with a column 'path'), "
            "a Hugging Face AudioFolder or an audformat database.",
            show_default=False,
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="A,B,C", help="What a clip can be; by default the label values of the manifest."),
    ] = None,
    keys: Annotated[str | None, typer.Option(metavar="1,2,3", help="One key a class; by default 1 to 9 and 0.")] = None,
    speech_model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH|none",
            help="Any Hugging Face speech encoder. [default: facebook/wav2vec2-base]",
        ),
    ] = None,
    views: Annotated[
        str | None, typer.Option(metavar="V,W", help="What models look at. [default: wav2vec2,mel,egemaps]")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(metavar="NAME", help="How the next clips are chosen. [default: auto]")
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=1000, help="Clips chosen together. [default: 10]", show_default=False),
    ] = None,
    evaluation_share: Annotated[
        float | None,
        typer.Option(
            metavar="F",
            min=0.0,
            max=0.9,
            help="Share of the clips that only measure. [default: 0.2]",
            show_default=False,
        ),
    ] = None,
    control_share: Annotated[
        float | None,
        typer.Option(
            metavar="F",
            min=0.0,
            max=0.5,
            help="Share of the labels drawn at random, to compare with: the random control. [default: 0]",
            show_default=False,
        ),
    ] = None,
    pretraining: Annotated[
        str | None,
        typer.Option(metavar="default|paper|none", help="How encoders learn from unlabelled clips. [default: default]"),
    ] = None,
    fine_tuning_loss: Annotated[
        str | None,
        typer.Option(metavar="LOSS", help="How they learn from labels: ce, sslcl, supcon and others. [default: ce]"),
    ] = None,
    device: Annotated[
        Device | None,
        typer.Option(metavar="auto|cpu|cuda", help="Where models run. [default: auto]", show_default=False),
    ] = None,
    annotator: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose answers these are; by default the login name.")
    ] = None,
    import_labels: Annotated[
        bool, typer.Option("--import-labels", help="Take the source's own labels as answers of `imported`.")
    ] = False,
    host: Annotated[str, typer.Option(metavar="HOST", help="The address to listen on: loopback only.")] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT", min=1, max=65535, help="By default 7860, or the next one that is free.", show_default=False
        ),
    ] = None,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Only the pages; nothing is read or learned.")] = False,
    oracle_annotator: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="A simulated annotator answers N clips with the source's own labels."),
    ] = 0,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Open the page on which the clips of SOURCE are labelled, with a worker that learns beside it.

    The first time this makes the workspace; the same line again goes on where you stopped. Options that are given again
    change the project's settings.
    """
    if source is None:
        raise UsageError(f"what should be labelled? Give a folder or a manifest: {EXAMPLE}")
    name = annotator_name(annotator)
    from labeler.commands.serving import Serving, serve
    from labeler.commands.setup import Wishes, prepare
    from labeler.web.server import listen

    listen(host, port).close()  # refused before a workspace is made
    wishes = Wishes(
        classes=classes,
        keys=keys,
        speech_model=speech_model,
        views=views,
        strategy=strategy,
        batch=batch,
        evaluation_share=evaluation_share,
        control_share=control_share,
        pretraining=pretraining,
        fine_tuning_loss=fine_tuning_loss,
        device=None if device is None else device.value,
    )
    project, said = prepare(workspace, source, wishes, by=name)
    for line in said:
        print(line, flush=True)
    serve(
        project,
        Serving(
            annotator=name,
            host=host,
            port=port,
            worker=not no_worker,
            import_labels=import_labels,
            oracle=oracle_annotator,
        ),
    )
