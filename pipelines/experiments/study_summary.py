"""Tables of studies: mean and deviation of each variant, its difference to the first one, and PWCCA against UAR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from pipelines.experiments.pairwise_cl import interval
from pipelines.experiments.studies import Study

Floats = npt.NDArray[np.float64]
MEASURES = ("frozen", "fine_tuned", "scratch")


def summarise_study(study: Study, cells: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row a variant: uar[measure][view][fraction] = mean, deviation and number of fold-draw pairs in %, and the
    paired difference to the study's first variant with its 95 % interval; PWCCA (floor-corrected mean over pairs);
    cost."""
    by_variant = {v.name: [one for one in cells if one["variant"] == v.name] for v in study.variants}
    first = study.variants[0].name
    rows = []
    for name, own in by_variant.items():
        table: dict[str, dict[str, dict[str, Any]]] = {}
        for measure in MEASURES:
            for view in _views(own, measure):
                for fraction in own[0]["uar"]:
                    values = scores(own, measure, view, fraction)
                    entry: dict[str, Any] = {
                        "mean": float(values.mean()),
                        "deviation": float(values.std(ddof=1)) if len(values) > 1 else 0.0,
                        "pairs": len(values),
                    }
                    base = scores(by_variant[first], measure, view, fraction)
                    if name != first and len(base) == len(values):
                        entry["difference"] = interval(values - base)
                    table.setdefault(measure, {}).setdefault(view, {})[fraction] = entry
        rows.append(
            {
                "variant": name,
                "uar": table,
                "pwcca": {state: _aligned(own, state) for state in ("untrained", "pretrained")},
                "cost": {key: float(np.mean([one["cost"][key] for one in own])) for key in own[0]["cost"]},
                "clips": float(np.mean([one["clips"] for one in own])),
            }
        )
    return rows


def scores(cells: Sequence[Mapping[str, Any]], measure: str, view: str, fraction: str) -> Floats:
    """UAR in % of every fold and draw, in their order."""
    return 100 * np.array(
        [draw[measure][view] for one in cells for draw in one["uar"][fraction] if view in draw.get(measure, {})]
    )


def _views(cells: Sequence[Mapping[str, Any]], measure: str) -> list[str]:
    first = next(iter(cells[0]["uar"].values()))[0]
    return list(first.get(measure, {}))


def _aligned(cells: Sequence[Mapping[str, Any]], state: str) -> float:
    """Mean over folds and pairs of views of (PWCCA - floor) / (1 - floor)."""
    return float(np.mean([pair["corrected"] for one in cells for pair in one["alignment"][state].values()]))


def rank_correlations(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Spearman's rho of floor-corrected PWCCA with UAR: over the variants of the study `alignment`, whose contrast is
    the dose, and over all comparable variants (all views, all clips, no noise).

    rho, p (two-sided, by permutation of the ranks' distribution in scipy), variants; for each measure and fraction.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {"all comparable variants": []}
    seen: set[str] = set()
    for table in document["studies"]:
        for row in table["rows"]:
            how = table["variants"][row["variant"]]
            comparable = how["views"] is None and how["noise_db"] is None and how["clips"] == "all"
            if not comparable or how["tuned_views"] is not None or table["study"] in ("emotions", "tuning"):
                continue
            if table["study"] == "alignment":
                groups.setdefault("the contrast as dose", []).append(row)
            if (key := repr(sorted(how.items()))) not in seen:
                seen.add(key)
                groups["all comparable variants"].append(row)
    out = []
    for group, rows in groups.items():
        if len(rows) < 3:
            continue
        pwcca = [row["pwcca"]["pretrained"] for row in rows]
        for measure, view in (("frozen", "lda"), ("fine_tuned", "fusion")):
            for fraction in rows[0]["uar"][measure][view]:
                uar = [row["uar"][measure][view][fraction]["mean"] for row in rows]
                found = spearmanr(pwcca, uar)
                out.append(
                    {
                        "over": group,
                        "variants": len(rows),
                        "measure": f"{measure}, {view}",
                        "fraction": fraction,
                        "rho": float(found.statistic),
                        "p": float(found.pvalue),
                    }
                )
    return out


def studies_as_markdown(document: Mapping[str, Any]) -> str:
    """Every study's table, then the rank correlations."""
    lines: list[str] = []
    for table in document["studies"]:
        lines += [f"### {table['study']}: {table['question']}", "", *_table(table), ""]
    found = rank_correlations(document)
    if found:
        lines += ["### PWCCA against UAR", "", "| over | variants | UAR of | labels | rank correlation | p |"]
        lines += ["|---|---|---|---|---|---|"]
        lines += [
            f"| {r['over']} | {r['variants']} | {r['measure']} | {100 * float(r['fraction']):g} % "
            f"| {r['rho']:+.2f} | {r['p']:.2f} |"
            for r in found
        ]
        lines.append("")
    return "\n".join(lines)


def columns(table: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What a study's table shows: measure, view and heading."""
    shown = [("frozen", "lda", "frozen, LDA"), ("fine_tuned", "fusion", "fine-tuned")]
    focus = table["focus"]
    fine_tuned = table["rows"][0]["uar"]["fine_tuned"]
    if focus in fine_tuned and len(fine_tuned) > 2:
        shown.append(("fine_tuned", focus, f"fine-tuned, {focus}"))
    if "scratch" in table["rows"][0]["uar"]:
        shown.append(("scratch", "fusion", "from scratch"))
    return shown


def table_cells(table: Mapping[str, Any]) -> list[list[str]]:
    """A study's table, its head first."""
    fractions = list(table["rows"][0]["uar"]["frozen"]["lda"])
    shown = columns(table)
    at = ", ".join(f"{100 * float(f):g}" for f in fractions)
    rows = [["variant", *(f"{heading}, {at} %" for *_, heading in shown), "PWCCA", "clips", "seconds", "MB"]]
    for row in table["rows"]:
        cells = [row["variant"]]
        for measure, view, _ in shown:
            by = row["uar"].get(measure, {}).get(view, {})
            cells.append("; ".join(_entry(by[f]) for f in fractions if f in by))
        before, after = row["pwcca"]["untrained"], row["pwcca"]["pretrained"]
        cells += [f"{before:.2f} to {after:.2f}", f"{row['clips']:.0f}"]
        cells += [f"{row['cost']['cpu_seconds']:.0f}", f"{row['cost']['memory_mb']:.0f}"]
        rows.append(cells)
    return rows


def _table(table: Mapping[str, Any]) -> list[str]:
    head, *rows = ["| " + " | ".join(cells) + " |" for cells in table_cells(table)]
    return [head, "|" + "---|" * head.count(" | ") + "---|", *rows]


def _entry(found: Mapping[str, Any]) -> str:
    """A mean; for a variant, its difference to the first with the interval."""
    if "difference" not in found:
        return f"{found['mean']:.1f} ± {found['deviation']:.1f}"
    d = found["difference"]
    return f"{found['mean']:.1f} ({d['mean']:+.1f}: {d['low']:+.1f} to {d['high']:+.1f})"
