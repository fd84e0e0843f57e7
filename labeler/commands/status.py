"""`earmark status`: where a project stands."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from labeler.commands.options import DEFAULT_WORKSPACE, Workspace, existing


def status(
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
) -> None:
    """Say how many clips and labels there are, what the worker does, and how good the model is."""
    existing(workspace)
    from labeler.service import open_project
    from labeler.service import status as document

    found = document(open_project(workspace))
    print(json.dumps(found, ensure_ascii=False, indent=2) if as_json else "\n".join(lines(found)))


def lines(found: dict[str, Any]) -> list[str]:
    """The document of `status --json` in words."""
    from labeler.service.coverage import CURVE_CLIPS

    clips, labels, worker, model = found["clips"], found["labels"], found["worker"], found["model"]
    out = [
        f"Workspace  {found['workspace']} (Earmark {found['earmark']})",
        f"Classes    {', '.join(found['classes']) or 'none yet: start with `earmark label SOURCE`'}",
        f"Clips      {clips['usable']:,} usable, {clips['evaluation']:,} of them for evaluation, "
        f"{clips['set_aside']:,} set aside",
        f"Labels     {labels['standing']:,} in {labels['minutes']:.1f} minutes, "
        f"{labels['evaluation']:,} on evaluation clips",
    ]
    out += [f"           {count:,} by {name}" for name, count in sorted(labels["by_annotator"].items())]
    step = "" if not worker["step"] else f", {worker['step']}"
    part = f" ({worker['done']:,} of {worker['total']:,})" if worker["total"] else ""
    out.append(f"Worker     {worker['state']}{step}{part}")
    if worker["error"]:
        out.append(f"           {worker['error']}")
    if model is None:
        out.append("Model      none yet: it needs labels in two classes")
    else:
        out.append(f"Model      round {model['round']}, knows {model['labels']:,} labels, {', '.join(model['views'])}")
        out.append(f"           {model['because']}")
    missing = CURVE_CLIPS - labels["evaluation"]
    if found["curve"] and missing > 0:
        out.append(f"UAR        not measured yet: {missing} more evaluation clips to label ({CURVE_CLIPS} are needed)")
    elif found["curve"]:
        last = found["curve"][-1]
        out.append(
            f"UAR        {last['uar']:.2f} ({last['low']:.2f} to {last['high']:.2f}) at {last['labels']:,} labels"
        )
    return out
