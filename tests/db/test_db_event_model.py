"""Random sequences of claims, answers, retries and undos against a model that fits on a page."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select
from stores import CLASSES, answer, filled

from db.claims import claim
from db.clips import clips
from db.engine import open_store
from db.errors import ConflictingRequest, UnusableAnswer
from db.labels import Answer, label_counts, newest_event, recent, record, standing, training_labels
from db.schema import ClipRow

ANNOTATORS = st.sampled_from(["ann", "bob"])
ANSWERS = ("label", "unsure", "bad_audio")


def machine(template: Path) -> type[RuleBasedStateMachine]:
    """The state machine over copies of a closed store."""

    class Events(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.folder = Path(tempfile.mkdtemp())
            self.store = open_store(shutil.copytree(template, self.folder / "workspace"))
            found = clips(self.store)
            self.clips = [one.id for one in found]
            self.evaluation = {one.id for one in found if one.evaluation}
            self.events: list[Answer] = []  # as the store must have numbered them
            self.undone: set[str] = set()
            self.held: dict[str, list[str]] = {"ann": [], "bob": []}

        def teardown(self) -> None:
            self.store.close()
            shutil.rmtree(self.folder)

        def last(self, annotator: str | None = None) -> dict[tuple[str, str], tuple[int, Answer]]:
            """What stands, skips too: (clip, annotator) -> (number, event)."""
            return {
                (event.clip, event.annotator): (number, event)
                for number, event in enumerate(self.events, start=1)
                if event.action != "undo"
                and event.request_id not in self.undone
                and annotator in (None, event.annotator)
            }

        def answered(self) -> set[str]:
            return {clip for (clip, _), (_, event) in self.last().items() if event.action in ANSWERS}

        def given(self, event: Answer) -> None:
            assert record(self.store, event).created
            self.events.append(event)
            held = self.held[event.annotator]
            if event.action == "undo":
                held[:] = [event.clip, *(clip for clip in held if clip != event.clip)]
            elif event.clip in held:
                held.remove(event.clip)

        @rule(annotator=ANNOTATORS, n=st.integers(0, 4))
        def claims(self, annotator: str, n: int) -> None:
            own = {event.clip for event in self.events if event.annotator == annotator}
            answered = self.answered()
            kept = [clip for clip in self.held[annotator] if clip not in answered or clip in own]
            others = {clip for name, held in self.held.items() if name != annotator for clip in held}
            skipped = {clip for (clip, _), (_, event) in self.last(annotator).items() if event.action == "skip"}
            free = [clip for clip in self.clips if clip not in answered | others | set(self.held[annotator])]
            got = [one.clip for one in claim(self.store, annotator, n)]
            assert got[: len(kept)] == kept[:n]
            new = got[len(kept) :]
            assert set(new) <= set(free)
            assert len(set(got)) == len(got) == min(n, len(kept) + len(free))
            # Skipped clips only after all that were not skipped.
            fresh = [clip for clip in new if clip not in skipped]
            assert new[: len(fresh)] == fresh
            assert len(fresh) == min(len(new), len(set(free) - skipped))
            self.held[annotator] += new

        @rule(
            annotator=ANNOTATORS,
            action=st.sampled_from(["label", "label", "label", "unsure", "bad_audio", "skip"]),
            class_=st.sampled_from(CLASSES),
            data=st.data(),
        )
        def answers(self, annotator: str, action: str, class_: str, data: st.DataObject) -> None:
            clip = data.draw(st.sampled_from(self.held[annotator] * 3 + self.clips))
            self.given(answer(clip, action, annotator, **({"class_": class_} if action == "label" else {})))

        @precondition(lambda self: self.events)
        @rule(data=st.data(), change=st.sampled_from([None, {"note": "else"}, {"annotator": "eve"}]))
        def retries(self, data: st.DataObject, change: dict[str, Any] | None) -> None:
            event = data.draw(st.sampled_from(self.events))
            if change is None:
                receipt = record(self.store, event)
                assert (receipt.created, receipt.clip, receipt.action) == (False, event.clip, event.action)
            else:
                with pytest.raises(ConflictingRequest):
                    record(self.store, replace(event, **change))

        @precondition(lambda self: self.events)
        @rule(annotator=ANNOTATORS, data=st.data())
        def undoes(self, annotator: str, data: st.DataObject) -> None:
            event = data.draw(st.sampled_from(self.events[-6:]))
            undo = answer(event.clip, "undo", annotator, undoes=event.request_id)
            if event.annotator != annotator or event.action == "undo" or event.request_id in self.undone:
                with pytest.raises(UnusableAnswer):
                    record(self.store, undo)
            else:
                self.undone.add(event.request_id)
                self.given(undo)

        @invariant()
        def what_stands_is_the_same(self) -> None:
            expected = sorted(self.last().values(), key=lambda item: item[0])
            answers = [(number, event) for number, event in expected if event.action in ANSWERS]
            found = standing(self.store)
            assert [(one.id, one.request_id, one.class_) for one in found] == [
                (number, event.request_id, event.class_) for number, event in answers
            ]
            assert all(one.evaluation is (one.clip in self.evaluation) for one in found)
            assert newest_event(self.store) == len(self.events)
            for annotator in self.held:
                own = sorted((item[0] for item in self.last(annotator).values()), reverse=True)
                assert [one.id for one in recent(self.store, annotator, 5)] == own[:5]

        @invariant()
        def the_numbers_are_the_same(self) -> None:
            last = self.last()
            votes: dict[str, list[tuple[int, str]]] = {}
            for (clip, _), (number, event) in sorted(last.items(), key=lambda item: item[1][0]):
                if event.class_ is not None:
                    votes.setdefault(clip, []).append((number, event.class_))
            bad = {clip for (clip, _), (_, event) in last.items() if event.action == "bad_audio"}
            expected = []
            for clip, given in votes.items():
                classes = [class_ for _, class_ in given]
                best = max(classes, key=lambda name: (classes.count(name), -classes.index(name)))
                if clip not in bad | self.evaluation:
                    expected.append((clip, best, given[classes.index(best)][0]))
            assert sorted(training_labels(self.store)) == sorted(expected)
            counted = label_counts(self.store)
            assert (counted.events, counted.training) == (len(self.events), len(expected))
            assert counted.standing == sum(event.action in ANSWERS for _, event in last.values())
            assert counted.evaluation == sum(
                event.action == "label" and event.clip in self.evaluation for _, event in last.values()
            )
            with self.store.read() as session:
                stored = dict(session.execute(select(ClipRow.id, ClipRow.answers)).tuples().all())
            assert stored == {
                clip: sum(key[0] == clip and event.action in ANSWERS for key, (_, event) in last.items())
                for clip in self.clips
            }

    return Events


def test_any_sequence_of_events_gives_what_the_model_gives(tmp_path: Path) -> None:
    filled(tmp_path / "template", 8, share=0.25).close()
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine(tmp_path / "template"),
        settings=settings(
            max_examples=10,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            database=None,
        ),
    )
