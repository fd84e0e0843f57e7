"""Berlin Database of Emotional Speech (Burkhardt et al., Interspeech 2005): 535 clips, ten actors, seven emotions.

Files are called `wav/03a01Fa.wav`: speaker, sentence, emotion (in German), version. audb, the loader of its publisher
audEERING, brings the same files. `erkennung.txt` of the original archive holds the listening test, if it is there.
"""

from __future__ import annotations

import re
from pathlib import Path

from pipelines.corpora.contract import Corpus, Reading, Say
from pipelines.errors import PipelineError
from pipelines.sources.listing import Refused, Row

EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
SENTENCES = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}
NAME = re.compile(r"(\d\d)([ab]\d\d)([A-Z])([a-z])")
AUDIO = (".wav", ".flac")


def read(root: Path) -> Reading:
    """Read every `*.wav` or `*.flac` under `root` whose name is one of EmoDB's; others are refused."""
    reading = Reading()
    heard = _listening_test(root / "erkennung.txt", reading)
    for path in sorted(path for path in root.rglob("*") if path.suffix.lower() in AUDIO):
        relative = path.relative_to(root).as_posix()
        name = NAME.fullmatch(path.stem)
        if name is None:
            reading.refused.append(Refused(relative, "is not named as in EmoDB (03a01Fa.wav)"))
            continue
        speaker, sentence, emotion, version = name.groups()
        if emotion not in EMOTIONS:
            reading.refused.append(Refused(relative, f"emotion {emotion!r} is none of {', '.join(EMOTIONS)}"))
            continue
        extra = {"sentence": sentence, "version": version, **heard.get(path.stem, {})}
        reading.rows.append(
            Row(relative, label=EMOTIONS[emotion], speaker=speaker, text=SENTENCES.get(sentence), extra=extra)
        )
    return reading


def _listening_test(path: Path, reading: Reading) -> dict[str, dict[str, float]]:
    """Percentages of the official test by clip: how many recognised the emotion, how many found it natural."""
    heard: dict[str, dict[str, float]] = {}
    if not path.is_file():
        return heard
    for number, line in enumerate(path.read_text("latin1").splitlines()[1:], start=2):
        cells = line.replace(",", ".").split()
        if not cells:
            continue
        try:
            recognised, natural = float(cells[2]), float(cells[3])
        except (IndexError, ValueError):
            reading.refused.append(Refused(f"{path.name}, line {number}", "is not 'number name.wav percent percent'"))
            continue
        heard[cells[1].removesuffix(".wav")] = {"recognised_pct": recognised, "natural_pct": natural}
    return heard


def fetch(root: Path, say: Say) -> None:
    """Fetch EmoDB from its publisher with audb into `root`, unless clips are there already.

    Raises:
        PipelineError: audb is not installed, the repository cannot be reached, or `root` holds something else.
    """
    if any(NAME.fullmatch(path.stem) for path in root.rglob("*.*") if path.suffix.lower() in AUDIO):
        return
    if root.is_dir() and any(root.iterdir()) and not (root / "db.yaml").is_file():
        raise PipelineError(f"{root} holds files, but none of EmoDB's; name an empty folder with --root DIR")
    try:
        import audb
    except ImportError as error:
        raise PipelineError("fetching EmoDB needs audb: pip install 'earmark[demo]'") from error
    say(f"fetching EmoDB (about 50 MB) from its publisher with audb into {root}")
    try:
        audb.load_to(str(root), "emodb", cache_root=str(root.parent / ".audb"), num_workers=4, verbose=False)
    except Exception as error:  # audb passes on whatever its backend raises
        raise PipelineError(
            f"EmoDB could not be fetched ({type(error).__name__}: {error}); check the network, "
            "or take it from http://emodb.bilderbar.info and name its folder with --root DIR"
        ) from error


EMODB = Corpus(
    name="emodb",
    title="EmoDB (Burkhardt et al. 2005)",
    licence="CC0: free for any use; please cite the paper",
    obtain="it is fetched with audb, or from http://emodb.bilderbar.info",
    clips=535,
    read=read,
    prepare=fetch,
)
