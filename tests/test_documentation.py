"""README and docs/ say what the program does: every command line in them parses, every path and link is there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.exceptions import TyperException
from typer.main import get_command

from labeler.commands import reference
from labeler.commands.registry import app

REPOSITORY = Path(__file__).parents[1]
DOCUMENTS = sorted([REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *(REPOSITORY / "docs").rglob("*.md")])
ROOT = get_command(app)
COMMANDS = dict(ROOT.commands)  # type: ignore[attr-defined]
START = re.compile(r"(?:\$ )?(?:earmark|python launch\.py)(?= |$)")
MAKE = re.compile(r"\bmake ([a-z]+)\b(?= |$|`|\.|,|\))")


def name(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def fenced(text: str) -> Iterator[str]:
    """Lines of code blocks, those that end in a backslash joined with the next."""
    for block in re.findall(r"^```[a-z]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield from re.sub(r"\\\n\s*", " ", block).splitlines()


def spans(text: str) -> list[str]:
    """Inline code."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def command_lines(text: str) -> Iterator[list[str]]:
    """The words after `earmark` of every command line in a document, comments left out."""
    for line in (*fenced(text), *spans(text)):
        found = START.match(line.strip())
        if found:
            yield shlex.split(line.strip()[found.end() :].split("  #")[0], comments=True)


def test_the_documents_are_found() -> None:
    assert {"README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/commands.md"} <= set(map(name, DOCUMENTS))
    assert len(list(command_lines((REPOSITORY / "README.md").read_text("utf-8")))) > 15


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_command_line_parses(document: Path) -> None:
    for words in command_lines(document.read_text("utf-8")):
        try:
            with ROOT.make_context("earmark", list(words)) as context:
                rest = [*context._protected_args, *context.args]
                if not rest:
                    continue
                assert rest[0] in COMMANDS, f"`earmark {shlex.join(words)}`: no command {rest[0]!r}"
                if len(words) == 1:  # a command named in the text, not a line to type
                    continue
                COMMANDS[rest[0]].make_context(rest[0], rest[1:], parent=context).close()
        except TyperException as wrong:
            pytest.fail(f"{name(document)}: `earmark {shlex.join(words)}`: {wrong.format_message()}")


def test_every_command_and_option_has_help() -> None:
    for title, command in {"earmark": ROOT, **COMMANDS}.items():
        assert command.help, title
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{title}: {parameter.name}"


def test_the_readme_names_every_command() -> None:
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    assert [title for title in COMMANDS if f"`earmark {title}`" not in readme] == []


def test_the_reference_is_what_the_program_takes() -> None:
    written = (REPOSITORY / "docs" / "commands.md").read_text("utf-8")
    assert written == reference.markdown(), "python -m labeler.commands.reference > docs/commands.md"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_make_targets_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE))
    text = document.read_text("utf-8")
    named = {found for line in (*fenced(text), *spans(text)) for found in MAKE.findall(line.split("#")[0])}
    assert named <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_and_paths_lead_somewhere(document: Path) -> None:
    text = document.read_text("utf-8")
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"https?:", link)]
    missing = [link for link in links if link and not (document.parent / link).exists()]
    paths = [
        span for span in spans(text) if re.fullmatch(r"(db|labeler|pipelines|benchmarks|tests|docs)/[\w./-]*", span)
    ]
    missing += [path for path in paths if "NAME" not in path and not (REPOSITORY / path).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_lines_of_options_name_real_ones(document: Path) -> None:
    """`--option` alone in inline code, as in a sentence, belongs to some command or tool that the text names."""
    known = {option for command in (ROOT, *COMMANDS.values()) for p in command.params for option in p.opts}
    foreign = {"--strict"}  # mypy's
    named = {span.split()[0] for span in spans(document.read_text("utf-8")) if span.startswith("--")}
    assert named - known - foreign == set()
