"""`earmark replay`: what the tool would save on a labelled corpus, without people."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from labeler.commands.corpus import corpora_folder, there
from labeler.commands.documents import one_standard_output, progress_bar, put
from labeler.commands.options import DEFAULT_WORKSPACE, Device, Workspace
from labeler.errors import UsageError

STRATEGIES = "auto,margin,random,baseline:logreg+random"


def replay(
    corpus: Annotated[
        str | None,
        typer.Argument(
            metavar="MANIFEST|CORPUS",
            help="A manifest with labels, or the name of a corpus under EARMARK_CORPORA.",
            show_default=False,
        ),
    ] = None,
    strategies: Annotated[
        str, typer.Option(metavar="A,B", help="The product's own, baseline:logreg+random, skactiveml:NAME.")
    ] = STRATEGIES,
    budget: Annotated[int, typer.Option(metavar="N", min=1, help="Labels to spend in each run.")] = 200,
    batch: Annotated[int, typer.Option(metavar="N", min=1, help="Labels between two rounds.")] = 10,
    folds: Annotated[
        str, typer.Option(metavar="speaker[:K]|session|K", help="How the clips are divided for testing.")
    ] = "speaker:5",
    seeds: Annotated[int, typer.Option(metavar="N", min=1, help="Repeats, each with another first batch.")] = 1,
    speech_model: Annotated[
        str, typer.Option(metavar="NAME|PATH|none", help="Any Hugging Face speech encoder.")
    ] = "facebook/wav2vec2-base",
    views: Annotated[str, typer.Option(metavar="V,W", help="What models look at.")] = "wav2vec2,mel,egemaps",
    device: Annotated[Device, typer.Option(metavar="auto|cpu|cuda", help="Where the speech model runs.")] = Device.auto,
    json_out: Annotated[
        str | None, typer.Option("--json", metavar="OUT", help="Write the document there; - is standard output.")
    ] = None,
    html_out: Annotated[
        str | None, typer.Option("--html", metavar="OUT", help="Write a page with curves; - is standard output.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processes. [default: the cores]", show_default=False)
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Run whole labelling projects on a labelled corpus, and show how many labels each strategy needs.

    The product's own rounds and strategies answer from the manifest's labels. Features and finished pieces are kept in
    the workspace, so that a run that was stopped goes on. Progress goes to standard error.
    """
    if corpus is None:
        raise UsageError("replay what? Give a manifest with labels or a corpus: earmark replay emodb")
    one_standard_output(json_out, html_out)
    from labeler.commands.setup import speech_model_at
    from pipelines.experiments.replay import ReplayOptions
    from pipelines.experiments.replay import replay as run
    from pipelines.experiments.replay_corpus import read_corpus

    options = ReplayOptions(
        strategies=_strategies(strategies),
        budget=budget,
        batch=batch,
        folds=_folds(folds),
        seeds=seeds,
        jobs=jobs or os.cpu_count() or 1,
        results=workspace / "replays",
        command=["earmark", *sys.argv[1:]],
    )
    with progress_bar() as tick:
        read = read_corpus(
            _manifest(corpus),
            features=workspace / "features",
            views=views.split(","),
            speech_model=speech_model_at(speech_model),
            device=device.value,
            progress=tick,
        )
        for notice in read.notices:
            print(notice, file=sys.stderr)
        document = run(read, options, progress=tick)
    _write(document, json_out, html_out)


def _manifest(corpus: str) -> Path:
    """A path as it is; else the manifest of the corpus of this name."""
    given = Path(corpus).expanduser()
    if given.exists():
        return given
    found = there()
    if corpus not in found:
        listed = ", ".join(found) or "none"
        raise UsageError(
            f"{corpus} is neither a file or folder nor a corpus under {corpora_folder()} (there: {listed})"
        )
    return found[corpus]


def _strategies(text: str) -> list[str]:
    from pipelines.acquisition import STRATEGIES as OWN
    from pipelines.errors import PipelineError
    from pipelines.experiments import baseline
    from pipelines.experiments.peers import any_strategy

    names = list(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in names:
        try:
            if name != baseline.NAME:
                any_strategy(name)
        except PipelineError as error:
            allowed = f"unknown; allowed: {', '.join(OWN)}, {baseline.NAME}, skactiveml:NAME"
            raise UsageError(f"--strategies {name!r}: {error if ':' in name else allowed}") from error
    return names


def _folds(text: str) -> str:
    kind, _, count = text.partition(":")
    number = count if kind == "speaker" and count else text
    if text not in ("speaker", "session") and not (number.isdecimal() and int(number) >= 2):
        raise UsageError(f"--folds {text!r}; allowed: speaker, speaker:K, session, or a number K of at least 2")
    return text


def _write(document: dict[str, Any], json_out: str | None, html_out: str | None) -> None:
    import json

    if json_out is not None:
        put(json_out, json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    if html_out is not None:
        from pipelines.experiments.replay_page import page

        put(html_out, page(document))
    if "-" not in (json_out, html_out):
        print("\n".join(lines(document)))


def lines(document: dict[str, Any]) -> list[str]:
    """The summary of a replay in words."""
    corpus, target = document["corpus"], document["target"]
    out = [
        f"{corpus['name']}: {corpus['clips']:,} clips, {corpus['speakers']} speakers, {', '.join(corpus['classes'])}",
        "all training labels: " + ", ".join(f"{name} {uar:.3f}" for name, uar in document["full_uar"].items()),
        f"target: {'' if target['uar'] is None else format(target['uar'], '.3f') + ', '}{target['from']}",
        f"{'strategy':28} {'area':>6} {'at the end':>12} {'labels to target':>17} {'s a round':>10}",
    ]
    for one in document["summary"]:
        needed = one["labels_to_target"]
        out.append(
            f"{one['strategy']:28} {one['area']:6.3f} {one['uar'][-1]:12.3f} "
            f"{'not reached' if needed is None else needed:>17} {one['seconds_per_round']:10.2f}"
        )
    return [*out, document["advice"]]
