"""Monitoring during training: metrics.jsonl, the line of progress, the speed, and TensorBoard."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bertsmith.runtime import processes
from bertsmith.runtime.console import progress
from bertsmith.training.budget import Budget
from bertsmith.training.training_plan import Work
from bertsmith.training.update_sampler import Update

LogEvent = Callable[[dict[str, Any]], object]
"""Writes figures to TensorBoard."""


class Monitor:
    """Measures the speed of updates, and logs their figures; a context in which metrics.jsonl is open.

    Args:
        metrics_file: lines are appended to it, by the first process.
        title: names the work in the line of progress.
        step: the number of updates that are done already.
        work: what the speed is compared with; None to leave the comparison out.
        log_event: None without TensorBoard.
    """

    def __init__(
        self,
        metrics_file: Path,
        *,
        title: str,
        budget: Budget,
        step: int,
        work: Work | None,
        log_event: LogEvent | None,
    ) -> None:
        self.metrics_file, self.title, self.budget, self.first_step = metrics_file, title, budget, step
        self.work, self.log_event = work, log_event
        self.started = 0.0
        self.seconds = 0.0
        self.total_flops, self.total_seconds = 0.0, 0.0

    def __enter__(self) -> Self:
        self._open = ExitStack()
        self._metrics = self._open.enter_context(self.metrics_file.open("a", encoding="utf-8", buffering=1))
        already = self.budget.progress(self.first_step)
        self._bar = self._open.enter_context(progress(self.title, 1.0, already=already))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def start_update(self) -> None:
        """Start the clock of an update, before its batches are loaded."""
        self.started = time.monotonic()

    def stop_update(self) -> None:
        """Stop the clock of the update, when its weights have changed."""
        self.seconds = max(time.monotonic() - self.started, 1e-9)

    def log_update(
        self,
        update: Update,
        losses: Mapping[str, float],
        *,
        step: int,
        tokens: int,
        tokens_seen: int,
        gradient_norm: float,
        learning_rate: float,
    ) -> None:
        """Log the figures of an update.

        Args:
            tokens, tokens_seen: of this update, and of the run so far.
            gradient_norm: before clipping.
        """
        speed = tokens / self.seconds
        self.write(
            {
                "step": step,
                "tokens_seen": tokens_seen,
                **losses,
                "grad_norm": gradient_norm,
                "learning_rate": learning_rate,
                "tokens_per_second": round(speed, 1),
                "seconds": round(self.budget.seconds, 3),
            }
        )
        self._bar.update(self.budget.progress(step), note=self._note(update, step, speed, losses))

    def _note(self, update: Update, step: int, speed: float, losses: Mapping[str, float]) -> str:
        """Return the text of the line of progress; a narrow terminal leaves its end out."""
        words = [f"{speed:,.0f} tokens/s"]
        words += [f"{name.removesuffix('_loss')} {value:.3f}" for name, value in losses.items()]
        if self.work is not None:
            flops = self.work.flops(update)
            self.total_flops, self.total_seconds = self.total_flops + flops, self.total_seconds + self.seconds
            words.append(f"{flops / self.seconds / self.work.peak:.0%} of peak")
        return f"update {step:,}  {'  '.join(words)}"

    def log_evaluation(self, step: int, figures: Mapping[str, Mapping[str, Any]]) -> None:
        """Log the figures of an evaluation: `evaluation` and, with a general text, `general_evaluation`."""
        self.write({"step": step, **figures})

    def write(self, line: dict[str, Any]) -> None:
        """Write a line of metrics.jsonl, and its figures to TensorBoard."""
        if not processes.is_main():
            return
        self._metrics.write(json.dumps(line) + "\n")
        if self.log_event is not None:
            figures = {
                f"{prefix}_{name}": value
                for prefix, key in (("eval", "evaluation"), ("general", "general_evaluation"))
                for name, value in line.get(key, {}).items()
                if value is not None
            }
            self.log_event(figures or {name: value for name, value in line.items() if name != "step"})

    def peak_share(self) -> float | None:
        """Return the share of the peak of matrix products that the updates reached, forward and backward passes."""
        if self.work is None or not self.total_seconds:
            return None
        return round(self.total_flops / self.total_seconds / self.work.peak, 3)
