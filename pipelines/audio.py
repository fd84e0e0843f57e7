"""Clips as numbers: decoding, what makes a clip unusable, its identity, and its sound and picture for the page.

libsndfile decodes (WAV, FLAC, OGG, Opus, MP3, AIFF and more), soxr resamples; no torch is imported here, so that the
web process may use this module. All samples are float32, mono, in [-1, 1].
"""

from __future__ import annotations

import hashlib
import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from pipelines.errors import PipelineError

Samples = npt.NDArray[np.float32]

RATE = 16_000
"""What every model hears, in Hz."""
MIN_SECONDS = 0.3
"""Below this, openSMILE's functionals are mostly zero (design notes, platform facts 3)."""
MAX_SECONDS = 30.0
HEARD_SECONDS = 15.0
"""Models hear the first 15 seconds of a clip."""
EXTENSIONS = frozenset(
    {".wav", ".wave", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3"}
    | {".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".sph", ".nist", ".voc"}
    | {".m4a", ".aac", ".wma", ".amr"}  # libsndfile does not read these: they are set aside, and so at least seen
)
"""Endings, in lower case, of the files that a scan of a folder takes for audio (compare with `suffix.lower()`)."""

_SILENCE = 1e-3  # -60 dBFS, for the loudest 25 ms of a clip
_SLACK = 0.05  # seconds by which a span may pass the end of its file: manifests round
_UNKNOWN = 1 << 40  # so many frames or more: libsndfile's way to say that it does not know
_LATEST = 1e7  # seconds; a later start or end is a mistake
_BLOCK = 1 << 20  # frames read at once: a header that lies about its length cannot ask for more memory than this


class Unusable(PipelineError):
    """A clip that cannot be labelled.

    `kind` is one of unreadable, empty, silent, not_finite, too_short, too_long, missing; `reason` says it in words,
    with what to do about it; `path` is the file.
    """

    def __init__(self, kind: str, reason: str, path: Path) -> None:
        super().__init__(f"{path}: {reason}")
        self.kind = kind
        self.reason = reason
        self.path = path


@dataclass(frozen=True)
class Sound:
    """Mono `samples`, float32 (n,) in [-1, 1], at `rate` Hz."""

    samples: Samples
    rate: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / self.rate


def clip_id(path: Path, start: float | None = None, end: float | None = None) -> str:
    """Return the identity of a clip: 16 hexadecimal digits.

    They are the first of SHA-256 over the bytes of the file, followed, where a span is given, by the ASCII text
    `\\nstart=S\\nend=E` with both in seconds to six decimals and an open end left empty. So the id of a whole file is
    the beginning of what `sha256sum` prints, and a start of 0 is the same as none.

    Raises:
        Unusable: the file is not there or cannot be read.
    """
    return clip_ids(path, [(start, end)])[0]


def clip_ids(path: Path, spans: Sequence[tuple[float | None, float | None]]) -> list[str]:
    """Return `clip_id` for each span of one file, which is read once."""
    try:
        with path.open("rb") as file:
            whole = hashlib.file_digest(file, "sha256")
    except OSError as error:
        raise _unopened(path, error) from error
    ids = []
    for start, end in spans:
        digest = whole.copy()
        if start or end is not None:
            digest.update(f"\nstart={start or 0.0:.6f}\nend={'' if end is None else f'{end:.6f}'}".encode())
        ids.append(digest.hexdigest()[:16])
    return ids


def decode(path: Path, start: float | None = None, end: float | None = None) -> Sound:
    """Read a file, or the span from `start` to `end` seconds of it, at its own rate, mixed to mono.

    A recording whose peak is above 1 (floating point, or an MP3 that overshoots) is scaled to a peak of 1. Channels
    that cancel each other are not mixed: the loudest one is taken.

    Raises:
        Unusable: missing, unreadable, empty, not_finite, or a span that the file does not have.
    """
    return _decode(path, start, end, None)


def check(path: Path, start: float | None = None, end: float | None = None) -> Sound:
    """Decode a clip and raise `Unusable` for every reason to set it aside, else return its sound.

    A recording that is too long by its header is refused before it is decoded.
    """
    sound = _decode(path, start, end, MAX_SECONDS)
    if sound.seconds < MIN_SECONDS:
        raise Unusable(
            "too_short", f"{sound.seconds:.3f} s long; a clip needs at least {MIN_SECONDS} s of speech", path
        )
    if loudest(sound) < _SILENCE:
        raise Unusable("silent", "nothing to hear: its loudest moment is below -60 dB of full scale", path)
    return sound


def loudest(sound: Sound) -> float:
    """Return the highest root mean square over 25 ms, with the whole clip's mean taken out first."""
    size = max(1, round(0.025 * sound.rate))
    samples = sound.samples - sound.samples.mean()
    whole = len(samples) // size * size
    if whole == 0:
        return float(np.sqrt(np.mean(samples**2)))
    frames = samples[:whole].reshape(-1, size)
    return float(np.sqrt(np.einsum("ij,ij->i", frames, frames).max() / size))


def model_input(path: Path, start: float | None = None, end: float | None = None) -> Samples:
    """Return what models hear of a clip: its first 15 s at 16 kHz, float32 (n,). Raises as `decode` does."""
    first = start or 0.0
    if end is None or end - first > HEARD_SECONDS:
        sound = _decode(path, start, end, None, heard=HEARD_SECONDS)
    else:
        sound = decode(path, start, end)
    return resample(sound)[: round(HEARD_SECONDS * RATE)]


def resample(sound: Sound, rate: int = RATE) -> Samples:
    """Return the samples at another rate, float32 (n,), contiguous."""
    if sound.rate == rate:
        return np.ascontiguousarray(sound.samples)
    return np.ascontiguousarray(soxr.resample(sound.samples, sound.rate, rate, quality="HQ"), dtype=np.float32)


def wav_bytes(sound: Sound) -> bytes:
    """Return a WAV file of 16-bit PCM, at the sound's own rate and loudness."""
    out = io.BytesIO()
    soundfile.write(out, sound.samples, sound.rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


def picture(sound: Sound, *, width: int = 1200) -> bytes:
    """Return a PNG, `width` x 224 pixels, transparent: the waveform above the log-mel spectrogram on one time axis."""
    from pipelines.picture import picture as draw  # scipy and Pillow: the worker's first clips need not wait for them

    return draw(sound.samples, sound.rate, width=width)


class _File(soundfile.SoundFile):  # type: ignore[misc]
    """libsndfile cannot seek in a file that does not say how long it is, and soundfile would after every read."""

    def seekable(self) -> bool:
        return 0 <= self.frames < _UNKNOWN and bool(super().seekable())


def _decode(
    path: Path, start: float | None, end: float | None, longest: float | None, heard: float | None = None
) -> Sound:
    """Decode; `longest`: refuse a longer clip as too_long; `heard`: read no more than this many seconds."""
    _check_span(path, start, end)
    try:
        if path.is_dir():
            raise Unusable("unreadable", "it is a folder, not a file", path)
        if path.stat().st_size == 0:
            raise Unusable("empty", "the file has no bytes in it; copy it again from where it came from", path)
        with _File(os.fsencode(path)) as file:
            rate = int(file.samplerate)
            # The header of an MP3 may only estimate its length: refuse nothing because of it.
            total = file.frames if file.seekable() and file.format != "MP3" else None
            first, last = _frames(path, total, rate, start, end)
            if longest is not None and last is not None and last - first > longest * rate:
                raise _too_long(path, (last - first) / rate, longest)
            data = _read(file, first, _least(last, *(first + math.ceil(s * rate) + 1 for s in (longest, heard) if s)))
    except OSError as error:
        raise _unopened(path, error) from error
    except (soundfile.SoundFileError, RuntimeError, TypeError, ValueError) as error:
        raise Unusable(
            "unreadable",
            f"not audio that can be decoded ({_plain(error)}); convert it to WAV or FLAC, with ffmpeg for instance",
            path,
        ) from error
    if longest is not None and len(data) > longest * rate:
        raise _too_long(path, None, longest)
    if total is None and heard is None and end is not None and len(data) < (end - (start or 0.0) - _SLACK) * rate:
        raise Unusable("missing", f"the file ends before {end:g} s; mend the manifest", path)
    if len(data) == 0:
        raise Unusable("empty", "there are no samples in it", path)
    if not np.isfinite(data).all():
        raise Unusable("not_finite", "it holds samples that are not numbers (NaN or infinite); export it again", path)
    return Sound(_mono(data), rate)


def _frames(path: Path, total: int | None, rate: int, start: float | None, end: float | None) -> tuple[int, int | None]:
    """Return the first frame and the one after the last (None: up to the end of a file of unknown length)."""
    first = round((start or 0.0) * rate)
    last = total if end is None else round(end * rate)
    if total is None:
        return first, last
    slack = round(_SLACK * rate)
    for name, value, frame in (("start", start, first), ("end", end, last)):
        if value is not None and frame is not None and frame > total + slack:
            raise Unusable(
                "missing",
                f"{name} {value:g} s is behind the end of the file ({total / rate:.3f} s); mend the manifest",
                path,
            )
    return min(first, total), min(last if last is not None else total, total)


def _check_span(path: Path, start: float | None, end: float | None) -> None:
    for name, value in (("start", start), ("end", end)):
        if value is not None and not (math.isfinite(value) and 0 <= value < _LATEST):
            raise Unusable("unreadable", f"{name} is {value!r}; it must be a number of seconds from 0 on", path)
    if end is not None and end <= (start or 0.0):
        raise Unusable("unreadable", f"end {end:g} s is not after start {start or 0:g} s; mend the manifest", path)


def _read(file: soundfile.SoundFile, first: int, stop: int | None) -> Samples:
    """Read the frames from `first` up to `stop` or the end, float32 (n, channels), in blocks."""
    if file.seekable():
        file.seek(min(first, file.frames))
    else:
        while first > 0 and len(skipped := file.read(min(first, _BLOCK), dtype="float32", always_2d=True)):
            first, stop = first - len(skipped), None if stop is None else stop - len(skipped)
    blocks = [np.zeros((0, file.channels), np.float32)]
    left = math.inf if stop is None else stop - first
    while left > 0:
        want = int(min(left, _BLOCK))
        blocks.append(file.read(want, dtype="float32", always_2d=True))
        if len(blocks[-1]) < want:
            break
        left -= want
    return blocks[1] if len(blocks) == 2 else np.concatenate(blocks)


def _mono(data: Samples) -> Samples:
    """Mix (n, channels) down to (n,), with a peak of at most 1."""
    with np.errstate(over="ignore"):
        mixed = data[:, 0] if data.shape[1] == 1 else data.mean(axis=1, dtype=np.float64)
    if data.shape[1] > 1:
        powers = np.einsum("ij,ij->j", data, data, dtype=np.float64)
        if np.dot(mixed, mixed) < 1e-4 * powers.max():
            mixed = data[:, int(powers.argmax())]
    peak = float(np.abs(mixed).max())
    if peak > 1:
        mixed = mixed / np.float64(peak)
    return np.ascontiguousarray(mixed, dtype=np.float32)


def _least(*values: int | None) -> int | None:
    return min((value for value in values if value is not None), default=None)


def _too_long(path: Path, seconds: float | None, longest: float) -> Unusable:
    length = "longer than" if seconds is None else f"{seconds:.1f} s long, more than"
    return Unusable(
        "too_long", f"{length} {longest:g} s; cut it into clips with the columns start and end of a manifest", path
    )


def _unopened(path: Path, error: OSError) -> Unusable:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Unusable("missing", "there is no such file; was the folder moved? (`earmark relocate`)", path)
    return Unusable("unreadable", f"the file cannot be opened: {error.strerror or error}", path)


def _plain(error: Exception) -> str:
    """libsndfile's own words, without the path that soundfile puts before them."""
    return str(getattr(error, "error_string", error)).strip().rstrip(".")
