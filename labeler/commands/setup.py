"""From what a person asked for to a workspace that is set up: settings and source in the store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.clips import add_source, sources
from db.labels import newest_event
from db.settings import Settings, change_settings, settings
from labeler.commands.keys import DEFAULT_KEYS, keys_for, split_classes, split_keys
from labeler.commands.options import listed
from labeler.errors import UsageError
from labeler.service import Project, open_project
from pipelines.errors import PipelineError
from pipelines.sources import Listing, open_listing


@dataclass(frozen=True)
class Wishes:
    """The settings that were asked for, as written; None leaves what is set, or the default."""

    classes: str | None = None
    keys: str | None = None
    speech_model: str | None = None
    views: str | None = None
    strategy: str | None = None
    batch: int | None = None
    evaluation_share: float | None = None
    control_share: float | None = None
    pretraining: str | None = None
    fine_tuning_loss: str | None = None
    device: str | None = None
    synthetic: bool | None = None
    name: str | None = None


def prepare(workspace: Path, source: str, wishes: Wishes, *, by: str) -> tuple[Project, list[str]]:
    """Set up `workspace` for `source`, or add the source to it; return the project and what to tell the person.

    Raises:
        UsageError: a wish that cannot be fulfilled, with what is allowed; nothing was changed then.
        PipelineError, StoreError: the source or the workspace cannot be opened.
    """
    listing = open_listing(source)
    chosen = _checked(wishes)
    if not (workspace / "earmark.db").exists():
        _first_classes(listing, wishes)  # refuse before a folder is made
    project = open_project(workspace)
    before = settings(project.store)
    if before is None:
        chosen |= _first_classes(listing, wishes)
        chosen.setdefault("name", _name(listing))
    else:
        chosen.update(_changed_classes(before, listing, wishes, labelled=newest_event(project.store) > 0))
        chosen = {field: value for field, value in chosen.items() if getattr(before, field) != value}
    said = _about(project, listing, before)
    if chosen:
        change_settings(project.store, by, **chosen)
    add_source(project.store, listing.root, listing.kind, listing.location)
    return project, said


def _checked(wishes: Wishes) -> dict[str, Any]:
    """The wishes that stand for themselves, as settings."""
    chosen: dict[str, Any] = {
        field: value
        for field in ("batch", "evaluation_share", "control_share", "device", "synthetic", "name")
        if (value := getattr(wishes, field)) is not None
    }
    if wishes.speech_model is not None:
        chosen["speech_model"] = speech_model_at(wishes.speech_model)
    if wishes.views is not None:
        from pipelines.views import VIEWS

        chosen["views"] = listed("--views", wishes.views, sorted(VIEWS))
    if wishes.strategy is not None:
        from pipelines.acquisition import strategy

        try:
            strategy(wishes.strategy)
        except PipelineError as error:
            raise UsageError(f"--strategy: {error}") from error
        chosen["strategy"] = wishes.strategy
    chosen |= _learning(wishes)
    return chosen


def _learning(wishes: Wishes) -> dict[str, Any]:
    """How encoders learn, as settings."""
    chosen: dict[str, Any] = {}
    if wishes.pretraining is not None:
        from pipelines.recipes import RECIPES

        if wishes.pretraining not in (*RECIPES, "none"):
            raise UsageError(f"--pretraining {wishes.pretraining!r} is unknown; allowed: {', '.join(RECIPES)}, none")
        chosen["pretraining"] = wishes.pretraining
    if wishes.fine_tuning_loss is not None:
        from pipelines.losses import LOSSES

        if unknown := [name for name in wishes.fine_tuning_loss.split("+") if name not in LOSSES]:
            raise UsageError(
                f"--fine-tuning-loss {unknown[0]!r} is unknown; allowed: {', '.join(LOSSES)}, or several joined by +"
            )
        chosen["fine_tuning_loss"] = wishes.fine_tuning_loss
    return chosen


def speech_model_at(given: str) -> str:
    """A name of the model hub (or `none`) as it is; a path made absolute. UsageError when no model is there."""
    if given == "none":
        return given
    path = Path(given).expanduser()
    if path.exists() or given.startswith((".", "/", "~")) or given.count("/") > 1:
        if not (path / "config.json").is_file():
            raise UsageError(
                f"--speech-model {given}: no folder with a config.json there; allowed: such a folder, "
                "a name of the model hub (facebook/wav2vec2-base), or none"
            )
        return str(path.resolve())
    return given


def _first_classes(listing: Listing, wishes: Wishes) -> dict[str, Any]:
    """Classes and keys for a new workspace."""
    classes = listing.classes if wishes.classes is None else split_classes(wishes.classes)
    if len(classes) < 2:
        why = "names one class only" if classes else "brings no labels to take the classes from"
        raise UsageError(
            f"{listing.location} {why}: say what a clip can be, "
            f"as in `earmark label {listing.location} --classes anger,happiness,neutral,sadness`"
        )
    return {"classes": classes, "keys": keys_for(classes, None if wishes.keys is None else split_keys(wishes.keys))}


def _changed_classes(before: Settings, listing: Listing, wishes: Wishes, *, labelled: bool) -> dict[str, Any]:
    """Classes and keys for a workspace that has some: they stay unless `--classes` or `--keys` says otherwise."""
    classes = before.classes if wishes.classes is None else split_classes(wishes.classes)
    if labelled and (lost := [name for name in before.classes if name not in classes]):
        raise UsageError(
            f"this workspace has labels, and --classes leaves out {', '.join(lost)}; name "
            f"{','.join(before.classes)} and what is new, or use another --workspace"
        )
    if wishes.classes is None and listing.classes and not set(listing.classes) & set(classes):
        raise UsageError(
            f"this workspace labels {', '.join(classes)}, and {listing.location} has {', '.join(listing.classes)}: "
            "use another --workspace for it, or name all --classes that you want"
        )
    if wishes.keys is not None:
        return {"classes": classes, "keys": keys_for(classes, split_keys(wishes.keys))}
    if classes == before.classes:
        return {}
    if len(classes) > len(DEFAULT_KEYS):
        keys_for(classes)  # says what is needed
    return {"classes": classes}  # the store leaves each known class its key


def _name(listing: Listing) -> str:
    """What to call the project: the folder of the clips, unless the manifest has a telling name of its own."""
    location = Path(listing.location)
    plain = location.is_dir() or location.stem.lower() in ("manifest", "metadata", "files", "data")
    return listing.root.name if plain else location.stem


def _about(project: Project, listing: Listing, before: Settings | None) -> list[str]:
    """Where everything is, in the words of the command line."""
    count, refused = len(listing.rows), len(listing.refused)
    speakers = len({row.speaker for row in listing.rows if row.speaker is not None})
    facts = f"{count:,} clips" + (f" by {speakers} speakers" if speakers else "") + f" in {listing.location}"
    said = [f"Found   {facts}"]
    if refused:
        first = listing.refused[0]
        said.append(f"        {refused:,} more cannot be used, the first: {first.where}: {first.reason}")
    said += [f"        {notice}" for notice in listing.notices]
    others = [one.location for one in sources(project.store) if one.location != listing.location]
    if before is not None and others:
        said.append(f"        added to this workspace's other sources: {', '.join(others)}")
    said.append(f"Labels  {project.workspace / 'earmark.db'}" + (" (going on)" if before is not None else ""))
    return said
