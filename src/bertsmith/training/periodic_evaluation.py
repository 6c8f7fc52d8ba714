"""Evaluation during training: when it is due, which one was the best, and whether patience has run out."""

from __future__ import annotations

from typing import Any

from torch import nn

from bertsmith.runtime import processes
from bertsmith.runtime.console import log_info
from bertsmith.training.best_evaluation import BestEvaluation
from bertsmith.training.intervals import is_due
from bertsmith.training.run_folder import RunFolder, read_metrics
from bertsmith.training.training_plan import Evaluations


class PeriodicEvaluation:
    """Measures a model during training.

    Attributes:
        best: the best evaluation so far.
        stopped_early: whether the run ends because the model no longer improves.
    """

    def __init__(self, settings: Evaluations) -> None:
        self.settings = settings
        self.best = BestEvaluation(settings.best_by)
        self.stopped_early = False

    def is_due(self, step: int, *, new_tenth: bool, is_over: bool) -> bool:
        """Return whether an evaluation is due after `step` updates.

        Without `at_end` the last update is skipped: the verb evaluates the finished model itself.
        """
        if self.settings.measure is None:
            return False
        return self.settings.at_end if is_over else is_due(self.settings.every, step, new_tenth=new_tenth)

    def measure(self, model: nn.Module) -> dict[str, dict[str, Any]]:
        """Return the figures for metrics.jsonl: `evaluation` and, with a general text, `general_evaluation`."""
        assert self.settings.measure is not None
        figures = {"evaluation": self.settings.measure(model)}
        if self.settings.general is not None:
            figures["general_evaluation"] = self.settings.general(model)
        return figures

    def check_patience(self, step: int) -> None:
        """Set `stopped_early` if too many evaluations have passed without a better one."""
        patience = self.settings.patience
        if patience is not None and self.best.without_gain >= patience:
            times = "evaluation" if patience == 1 else "evaluations"
            log_info(f"update {step}: {patience} {times} without a lower held-out loss, so the run ends here")
            self.stopped_early = True

    def resume(self, folder: RunFolder) -> None:
        """Restore the best evaluation of a resumed run from its metrics.jsonl.

        Forget it if its checkpoint is gone: the run could not return to it.
        """
        if processes.is_main():
            for line in read_metrics(folder.path)[1]:
                self.best.consider(line["evaluation"], line["step"])
            if self.best.step is not None and not folder.checkpoint(self.best.step).is_dir():
                self.best = BestEvaluation(self.settings.best_by)
        self.best = processes.broadcast_object(self.best)
