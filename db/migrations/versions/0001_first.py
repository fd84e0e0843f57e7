"""The first schema: clips, claims, label events, people, settings, and what the worker publishes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "artefact",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("made_at", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_artefact")),
        sa.UniqueConstraint("kind", "key", name=op.f("uq_artefact_kind_key")),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("expires", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "notice",
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_notice")),
    )
    op.create_table(
        "person",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("added_at", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_person")),
    )
    op.create_table(
        "round",
        sa.Column("round", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.Column("newest_event", sa.Integer(), nullable=False),
        sa.Column("minutes", sa.Double(), nullable=False),
        sa.Column("published_at", sa.String(length=24), nullable=False),
        sa.Column("views", sa.JSON(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("classes", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("round", name=op.f("pk_round")),
    )
    op.create_table(
        "settings",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("by", sa.String(length=100), nullable=False),
        sa.Column("at", sa.String(length=24), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_settings")),
    )
    op.create_table(
        "source",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("scanned_at", sa.String(length=24), nullable=True),
        sa.Column("drawn_by", sa.String(length=20), nullable=True),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source")),
        sa.UniqueConstraint("location", name=op.f("uq_source_location")),
    )
    op.create_table(
        "worker",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("step", sa.Text(), nullable=True),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("beat_at", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_worker")),
    )
    op.create_table(
        "clip",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("start", sa.Double(), nullable=True),
        sa.Column("end", sa.Double(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("sample_rate", sa.Integer(), nullable=False),
        sa.Column("file_bytes", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("speaker", sa.Text(), nullable=True),
        sa.Column("dialogue", sa.Text(), nullable=True),
        sa.Column("turn", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("extra", sa.JSON(), nullable=False),
        sa.Column("evaluation", sa.Boolean(), nullable=True),
        sa.Column("present", sa.Boolean(), nullable=False),
        sa.Column("answers", sa.Integer(), nullable=False),
        sa.Column("draw", sa.Integer(), nullable=False),
        sa.Column("added_at", sa.String(length=24), nullable=False),
        sa.CheckConstraint("answers >= 0", name=op.f("ck_clip_answers")),
        sa.ForeignKeyConstraint(["source"], ["source.id"], name=op.f("fk_clip_source")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clip")),
        sa.UniqueConstraint("position", name=op.f("uq_clip_position")),
    )
    op.create_index(op.f("ix_clip_evaluation_answers_draw"), "clip", ["evaluation", "answers", "draw"], unique=False)
    op.create_index(op.f("ix_clip_source_path"), "clip", ["source", "path"], unique=False)
    op.create_table(
        "curve_point",
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.Column("minutes", sa.Double(), nullable=False),
        sa.Column("uar", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("control", sa.Double(), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["round"], ["round.round"], name=op.f("fk_curve_point_round")),
        sa.PrimaryKeyConstraint("round", name=op.f("pk_curve_point")),
    )
    op.create_table(
        "probabilities",
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("part", sa.String(length=10), nullable=False),
        sa.Column("classes", sa.JSON(), nullable=False),
        sa.Column("clips", sa.JSON(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["round"], ["round.round"], name=op.f("fk_probabilities_round")),
        sa.PrimaryKeyConstraint("round", "part", name=op.f("pk_probabilities")),
    )
    op.create_table(
        "set_aside",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("start", sa.Double(), nullable=True),
        sa.Column("end", sa.Double(), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("file_bytes", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.String(length=24), nullable=False),
        sa.ForeignKeyConstraint(["source"], ["source.id"], name=op.f("fk_set_aside_source")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_set_aside")),
    )
    op.create_index(op.f("ix_set_aside_source_path"), "set_aside", ["source", "path"], unique=False)
    op.create_table(
        "claim",
        sa.Column("clip", sa.String(length=64), nullable=False),
        sa.Column("annotator", sa.String(length=100), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("expires", sa.String(length=24), nullable=False),
        sa.Column("round", sa.Integer(), nullable=True),
        sa.Column("labels", sa.Integer(), nullable=True),
        sa.Column("suggested", sa.Text(), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("chosen_by", sa.String(length=60), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["annotator"], ["person.name"], name=op.f("fk_claim_annotator")),
        sa.ForeignKeyConstraint(["clip"], ["clip.id"], name=op.f("fk_claim_clip")),
        sa.PrimaryKeyConstraint("clip", "annotator", name=op.f("pk_claim")),
    )
    op.create_index(op.f("ix_claim_annotator_place"), "claim", ["annotator", "place"], unique=False)
    op.create_index(op.f("ix_claim_expires"), "claim", ["expires"], unique=False)
    op.create_table(
        "label_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("clip", sa.String(length=64), nullable=False),
        sa.Column("annotator", sa.String(length=100), nullable=False),
        sa.Column("action", sa.String(length=10), nullable=False),
        sa.Column("class", sa.Text(), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("extra", sa.JSON(), nullable=False),
        sa.Column("heard_ms", sa.Integer(), nullable=True),
        sa.Column("decided_ms", sa.Integer(), nullable=True),
        sa.Column("suggestion_shown", sa.Boolean(), nullable=False),
        sa.Column("suggested_class", sa.Text(), nullable=True),
        sa.Column("model", sa.String(length=40), nullable=True),
        sa.Column("chosen_by", sa.String(length=60), nullable=True),
        sa.Column("round", sa.Integer(), nullable=True),
        sa.Column("class_list_version", sa.Integer(), nullable=False),
        sa.Column("undoes", sa.Integer(), nullable=True),
        sa.Column("at", sa.String(length=24), nullable=False),
        sa.CheckConstraint("(action = 'label') = (class IS NOT NULL)", name=op.f("ck_label_event_class")),
        sa.CheckConstraint("(action = 'undo') = (undoes IS NOT NULL)", name=op.f("ck_label_event_undoes")),
        sa.CheckConstraint(
            "action IN ('label', 'unsure', 'bad_audio', 'skip', 'undo')", name=op.f("ck_label_event_action")
        ),
        sa.ForeignKeyConstraint(["annotator"], ["person.name"], name=op.f("fk_label_event_annotator")),
        sa.ForeignKeyConstraint(["clip"], ["clip.id"], name=op.f("fk_label_event_clip")),
        sa.ForeignKeyConstraint(["undoes"], ["label_event.id"], name=op.f("fk_label_event_undoes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_event")),
        sa.UniqueConstraint("request_id", name=op.f("uq_label_event_request_id")),
        sa.UniqueConstraint("undoes", name=op.f("uq_label_event_undoes")),
    )
    op.create_index(op.f("ix_label_event_annotator_id"), "label_event", ["annotator", "id"], unique=False)
    op.create_index(op.f("ix_label_event_clip_annotator_id"), "label_event", ["clip", "annotator", "id"], unique=False)
    op.create_table(
        "suggestion",
        sa.Column("rank", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("clip", sa.String(length=64), nullable=False),
        sa.Column("round", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("chosen_by", sa.String(length=60), nullable=False),
        sa.Column("suggested", sa.Text(), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["clip"], ["clip.id"], name=op.f("fk_suggestion_clip")),
        sa.ForeignKeyConstraint(["round"], ["round.round"], name=op.f("fk_suggestion_round")),
        sa.PrimaryKeyConstraint("rank", name=op.f("pk_suggestion")),
    )

    # Answers are events that nobody changes: the database refuses it, whichever program asks. The third trigger closes
    # the door that INSERT OR REPLACE would leave open (SQLite deletes the old row without telling a trigger).
    if op.get_bind().dialect.name == "sqlite":
        for name, moment, condition in (
            ("update", "UPDATE", "1"),
            ("delete", "DELETE", "1"),
            (
                "replace",
                "INSERT",
                "EXISTS (SELECT 1 FROM label_event WHERE id = NEW.id OR request_id = NEW.request_id"
                " OR undoes = NEW.undoes)",
            ),
        ):
            op.execute(
                f"CREATE TRIGGER label_event_no_{name} BEFORE {moment} ON label_event WHEN {condition} BEGIN"
                " SELECT RAISE(ABORT, 'label_event is append-only'); END"
            )
