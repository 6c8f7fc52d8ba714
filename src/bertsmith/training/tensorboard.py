"""TensorBoard events of a run, written through transformers' own callback."""

from __future__ import annotations

from pathlib import Path

from transformers.integrations.integration_utils import TensorBoardCallback


def events(folder: Path, first_update: int) -> TensorBoardCallback:
    """Return the callback that writes to a folder; events that a resumed run repeats are marked as replaced."""
    from torch.utils.tensorboard import SummaryWriter

    return TensorBoardCallback(SummaryWriter(str(folder), purge_step=first_update + 1 if first_update else None))
