"""`earmark reproduce`: the protocols of the two papers, for whoever holds their corpora."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labeler.commands.corpus import corpora_folder, corpus_root, there
from labeler.commands.documents import one_standard_output, progress_bar, put
from labeler.commands.options import DEFAULT_WORKSPACE, Device, Workspace, listed
from labeler.errors import UsageError

if TYPE_CHECKING:
    from pipelines.experiments.pairwise_corpus import PairwiseCorpus
    from pipelines.experiments.sslcl_corpus import Conversations

Tick = Callable[[int, int, str], None]


class Paper(StrEnum):
    """Which paper: Pairwise-CL (arXiv 2406.07900) or SSLCL (arXiv 2310.16676)."""

    pairwise_cl = "pairwise-cl"
    sslcl = "sslcl"


SPEECH_MODEL = "speech_model"
"""The study that needs the clips' sound, and not their features alone."""
CORPUS = {Paper.pairwise_cl: "emodb", Paper.sslcl: "meld"}


def reproduce(
    paper: Annotated[Paper, typer.Argument(metavar="pairwise-cl|sslcl", help="Which paper.", show_default=False)],
    corpus: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which corpus. [default: emodb for pairwise-cl, meld for sslcl]")
    ] = None,
    root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where it lies. [default: its folder under EARMARK_CORPORA]")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few minutes, to see that it runs; no result.")] = False,
    seeds: Annotated[int, typer.Option(metavar="N", min=1, help="Repeats.")] = 5,
    folds: Annotated[
        str, typer.Option(metavar="speaker[:K]|session|K", help="How single clips are divided.")
    ] = "speaker:5",
    speech_model: Annotated[
        str, typer.Option(metavar="NAME|PATH|none", help="The speech encoder.")
    ] = "facebook/wav2vec2-base",
    recipes: Annotated[
        str, typer.Option(metavar="A,B", help="Pre-trainings of pairwise-cl: paper, default, or both.")
    ] = "paper",
    inputs: Annotated[
        str,
        typer.Option(metavar="speaker|pool|speaker,pool", help="Inputs of pairwise-cl: by speaker, raw, or both."),
    ] = "speaker",
    study: Annotated[
        str | None,
        typer.Option(metavar="A,B|all", help="Small tables of pairwise-cl's open ends in place of its protocol."),
    ] = None,
    text_encoder: Annotated[
        str,
        typer.Option(metavar="NAME|PATH|tf-idf", help="The text encoder of sslcl; auto takes what is here."),
    ] = "auto",
    audio_views: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Views of the sound beside sslcl's text: wav2vec2, mel, egemaps."),
    ] = None,
    device: Annotated[Device, typer.Option(metavar="auto|cpu|cuda", help="Where models train.")] = Device.auto,
    json_out: Annotated[
        str | None, typer.Option("--json", metavar="OUT", help="Write the document there; - is standard output.")
    ] = None,
    html_out: Annotated[
        str | None, typer.Option("--html", metavar="OUT", help="Write a page with curves; - is standard output.")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Run a paper's protocol beside the strongest plain baselines, and print its tables.

    sslcl takes meld and iemocap's dialogues, or any single clips (emodb, ravdess): then it tests view masking on them.

    Finished pieces are kept in the workspace: a run that was stopped goes on. Progress goes to standard error.
    """
    one_standard_output(json_out, html_out)
    from labeler.commands.setup import speech_model_at
    from pipelines.recipes import RECIPES

    studies = _studies(paper, study)
    chosen = {
        "recipes": listed("--recipes", recipes, tuple(RECIPES)),
        "normalise": listed("--inputs", inputs, ("speaker", "pool")),
    }
    name = corpus or CORPUS[paper]
    dialogues = paper is Paper.sslcl and _holds_dialogues(name)
    source = corpus_root(name, root) if dialogues else _manifest(name, root)
    from pipelines.torch_setup import choose_device

    common = {
        "seeds": seeds,
        "quick": quick,
        "device": str(choose_device(device.value)),
        "results": workspace / "reproductions" / paper.value,
        "command": ["earmark", *sys.argv[1:]],
    }
    with progress_bar() as tick:
        if studies == [SPEECH_MODEL]:
            common |= {"folds": folds}
            document, text, page = _speech_tuning(source, speech_model_at(speech_model), workspace, common, tick)
        elif studies is not None:
            common |= {"folds": folds, "studies": studies}
            document, text, page = _pairwise_studies(source, speech_model_at(speech_model), workspace, common, tick)
        elif paper is Paper.pairwise_cl:
            common |= {"folds": folds, **chosen}
            document, text, page = _pairwise_cl(source, speech_model_at(speech_model), workspace, common, tick)
        elif not dialogues:
            common |= {"folds": folds}
            document, text, page = _view_masking(source, speech_model_at(speech_model), workspace, common, tick)
        else:
            sound = listed("--audio-views", audio_views, ("wav2vec2", "mel", "egemaps")) if audio_views else ()
            how = {"text_encoder": text_encoder, "audio_views": sound}
            if "wav2vec2" in sound:
                how["speech_model"] = speech_model_at(speech_model)
            document, text, page = _sslcl(name, source, how, workspace, common, tick)
    import json

    if json_out is not None:
        put(json_out, json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    if html_out is not None:
        put(html_out, page())
    if "-" not in (json_out, html_out):
        print(text)


Result = tuple[dict[str, Any], str, Callable[[], str]]


def _pairwise_cl(source: Path, speech_model: str, workspace: Path, common: dict[str, Any], tick: Tick) -> Result:
    from pipelines.experiments.pairwise_cl import PairwiseOptions, as_markdown
    from pipelines.experiments.pairwise_cl import reproduce as run
    from pipelines.experiments.pairwise_page import page

    data = _views_of(source, speech_model, workspace, common, tick)
    document = run(data, PairwiseOptions(**common), progress=tick)
    return document, as_markdown(document), lambda: page(document)


def _pairwise_studies(source: Path, speech_model: str, workspace: Path, common: dict[str, Any], tick: Tick) -> Result:
    from pipelines.experiments.pairwise_studies import StudyOptions, reproduce_studies
    from pipelines.experiments.studies_page import studies_page
    from pipelines.experiments.study_summary import studies_as_markdown

    def read(noise_db: float | None) -> PairwiseCorpus:
        return _views_of(source, speech_model, workspace, common, tick, noise_db)

    del common["seeds"]  # a study brings its own
    document = reproduce_studies(read, StudyOptions(**common), progress=tick)
    return document, studies_as_markdown(document), lambda: studies_page(document)


def _speech_tuning(source: Path, speech_model: str, workspace: Path, common: dict[str, Any], tick: Tick) -> Result:
    from pipelines.experiments.speech_tuning_page import as_markdown, page
    from pipelines.experiments.speech_tuning_study import SpeechStudyOptions
    from pipelines.experiments.speech_tuning_study import run as run_study

    data = _views_of(source, speech_model, workspace, common, tick)
    document = run_study(data, source, SpeechStudyOptions(**common), progress=tick)
    return document, as_markdown(document), lambda: page(document)


def _views_of(
    source: Path,
    speech_model: str,
    workspace: Path,
    common: dict[str, Any],
    tick: Tick,
    noise_db: float | None = None,
) -> PairwiseCorpus:
    """What every view makes of a corpus, and what was left out."""
    from pipelines.experiments.pairwise_corpus import read_pairwise_corpus

    data = read_pairwise_corpus(
        source,
        features=workspace / "features",
        speech_model=speech_model,
        device=common["device"],
        noise_db=noise_db,
        progress=tick,
    )
    for notice in data.corpus.notices:
        print(notice, file=sys.stderr)
    return data


def _studies(paper: Paper, asked: str | None) -> list[str] | None:
    """Names of studies, none of them for all; None where the protocol itself is run."""
    if asked is None:
        return None
    if paper is not Paper.pairwise_cl:
        raise UsageError("--study belongs to pairwise-cl; sslcl runs its questions with its grid")
    from pipelines.experiments.studies import STUDIES

    names = [] if asked == "all" else list(listed("--study", asked, (*STUDIES, SPEECH_MODEL)))
    if SPEECH_MODEL in names and len(names) > 1:
        raise UsageError(f"--study {SPEECH_MODEL} trains the speech model itself, and runs by itself")
    return names


def _sslcl(name: str, folder: Path, how: dict[str, Any], workspace: Path, common: dict[str, Any], tick: Tick) -> Result:
    from pipelines.experiments.sslcl import SslclOptions
    from pipelines.experiments.sslcl import reproduce as run
    from pipelines.experiments.sslcl_corpus import read_conversations
    from pipelines.experiments.sslcl_page import as_markdown, page

    def read(task: str) -> Conversations:
        found = read_conversations(
            name, folder, task=task, cache=workspace / "features", device=common["device"], progress=tick, **how
        )
        for notice in found.notices:
            print(notice, file=sys.stderr)
        return found

    document = run(read, SslclOptions(**common), progress=tick)
    return document, as_markdown(document), lambda: page(document)


def _view_masking(source: Path, speech_model: str, workspace: Path, common: dict[str, Any], tick: Tick) -> Result:
    from pipelines.experiments.masking_page import as_markdown, page
    from pipelines.experiments.view_masking import MaskingOptions, read_tasks
    from pipelines.experiments.view_masking import reproduce as run

    tasks = read_tasks(
        source,
        features=workspace / "features",
        speech_model=speech_model,
        device=common["device"],
        progress=tick,
    )
    for notice in dict.fromkeys(notice for data in tasks.values() for notice in data.notices):
        print(notice, file=sys.stderr)
    document = run(tasks, MaskingOptions(**common), progress=tick)
    return document, as_markdown(document), lambda: page(document)


def _holds_dialogues(name: str) -> bool:
    """Whether sslcl runs the paper's own protocol on a corpus, and not view masking on single clips."""
    from pipelines.corpora import CORPORA

    return name in CORPORA and (name == "meld" or name.startswith("iemocap"))


def _manifest(name: str, root: Path | None) -> Path:
    """A corpus's manifest, written from its official files where there is none yet; or any manifest, by its path."""
    from pipelines.corpora import CORPORA, read_corpus, write_manifest

    if root is None and Path(name).expanduser().is_file():
        return Path(name).expanduser()
    if root is None and name in (known := there()):
        return known[name]
    if name not in CORPORA:
        raise UsageError(
            f"--corpus {name!r} is no manifest, nothing under {corpora_folder()}, and no known corpus; "
            f"allowed: {', '.join(CORPORA)}"
        )
    folder = corpus_root(name, root)
    written = folder / CORPORA[name].manifest
    if written.is_file():
        return written
    reading = read_corpus(CORPORA[name], folder, say=lambda line: print(line, file=sys.stderr))
    return write_manifest(reading, folder, CORPORA[name].manifest)
