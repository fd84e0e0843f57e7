"""Which commands there are. A new one is one file and one line here."""

from __future__ import annotations

import typer

from labeler.commands.corpus import corpus
from labeler.commands.demo import demo
from labeler.commands.doctor import doctor
from labeler.commands.export import export
from labeler.commands.label import label
from labeler.commands.relocate import relocate
from labeler.commands.replay import replay
from labeler.commands.reproduce import reproduce
from labeler.commands.status import status
from labeler.commands.worker import worker

app = typer.Typer(
    name="earmark",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.callback(invoke_without_command=True)(demo)
for command in (label, worker, status, export, replay, reproduce, corpus, relocate, doctor):
    app.command()(command)
