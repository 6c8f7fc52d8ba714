"""Evaluations and checkpoints are due every N updates, or once per tenth of the run."""

from __future__ import annotations

from bertsmith.training.intervals import Tenths, is_due


def test_each_tenth_is_reported_once() -> None:
    tenths = Tenths()
    assert [tenths.advance(progress) for progress in (0.05, 0.1, 0.15, 0.35, 0.39, 1.0, 1.0)] == [
        *(False, True, False, True, False, True, False)
    ]


def test_a_resumed_run_does_not_repeat_its_tenth() -> None:
    tenths = Tenths()
    tenths.advance(0.42)
    assert not tenths.advance(0.45)
    assert tenths.advance(0.5)


def test_an_interval_in_updates_replaces_the_tenths() -> None:
    assert [is_due(3, step, new_tenth=True) for step in (1, 2, 3, 6)] == [False, False, True, True]
    assert [is_due(None, 3, new_tenth=new) for new in (True, False)] == [True, False]
