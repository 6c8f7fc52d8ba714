"""What tests/training/test_distributed.py starts with torchrun: runs of `pretrain` that leave evidence of each process.

    torchrun ... under_torchrun.py runs '[{"out": ..., ...}, ...]' [pretrain STORE ...]
                                                                      several runs, then a command line
    torchrun ... under_torchrun.py stopped 5 pretrain STORE ...       a command line that gets a SIGTERM at update 5

Beside each RUN, OUT-rank0.json, OUT-rank1.json ... hold the lines of metrics.jsonl as that process knows them, and how
many weights are sharded while it trains.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel
from transformers import DefaultFlowCallback
from transformers.trainer_callback import CallbackHandler

from bertsmith.runtime import peak, processes
from bertsmith.training.monitoring import Monitor
from bertsmith.training.trainer import ExactTrainer

WAIT_SECONDS = 120.0

# As in tests/conftest.py: the peak of the machine is measured with one small product.
peak.PRODUCTS = ((256, 256, 256),)
peak.matmul_peak.__kwdefaults__["seconds"] = 0.0


def run(options: dict[str, Any]) -> None:
    """One run, and the evidence of this process."""
    from bertsmith.verbs.pretrain import pretrain

    seen: dict[str, Any] = {"lines": []}
    seen_models: list[Any] = []
    original_write, original_update = Monitor.write, ExactTrainer.make_update

    def write(self: Monitor, line: dict[str, Any]) -> None:
        seen["lines"].append(line)
        original_write(self, line)

    def make_update(self: ExactTrainer, model: Any, update: Any, batches: Any) -> None:
        seen_models.append(self.model)
        seen["wrapped"] = isinstance(model, DistributedDataParallel)
        seen["looks_for_unused"] = getattr(model, "find_unused_parameters", None)
        seen.setdefault("parts", []).append([len(examples) for examples in self.dataset.divide(update)])
        original_update(self, model, update, batches)

    def on_pre_optimizer_step(*_: Any, **__: Any) -> None:
        parameters = list(seen_models[-1].parameters())
        gradients = [value.grad for value in parameters if value.grad is not None]
        local = [value.to_local() if isinstance(value, DTensor) else value for value in parameters]
        seen["parameters"], seen["gradients"] = len(parameters), len(gradients)
        seen["sharded"] = sum(isinstance(value, DTensor) for value in parameters)
        seen["sharded_gradients"] = sum(isinstance(value, DTensor) for value in gradients)
        seen["numbers"] = sum(value.numel() for value in parameters)
        seen["local_numbers"] = sum(value.numel() for value in local)

    with (
        mock.patch.object(DefaultFlowCallback, "on_pre_optimizer_step", on_pre_optimizer_step),
        mock.patch.object(Monitor, "write", write),
        mock.patch.object(ExactTrainer, "make_update", make_update),
    ):
        result = pretrain(**options)
    seen["result"] = result.to_dict()
    Path(f"{options['out']}-rank{processes.rank()}.json").write_text(json.dumps(seen), encoding="utf-8")


def stopped(update: int, arguments: list[str]) -> None:
    """A command line whose torchrun gets a SIGTERM in the middle of an update; it comes before the update is over."""
    from bertsmith.cli.app import main

    original = CallbackHandler.on_pre_optimizer_step

    def hook(self: CallbackHandler, args: Any, state: Any, control: Any, **rest: Any) -> Any:
        result = original(self, args, state, control, **rest)
        if state.global_step + 1 == update and processes.is_main():
            arrived: list[int] = []
            handler: Any = signal.getsignal(signal.SIGTERM)
            signal.signal(signal.SIGTERM, lambda number, frame: (arrived.append(number), handler(number, frame))[1])
            os.kill(os.getppid(), signal.SIGTERM)
            end = time.monotonic() + WAIT_SECONDS
            while not arrived and time.monotonic() < end:
                time.sleep(0.01)
        return result

    with mock.patch.object(CallbackHandler, "on_pre_optimizer_step", hook):
        main(arguments)


if __name__ == "__main__":
    if sys.argv[1] == "runs":
        for options in json.loads(sys.argv[2]):
            run(options)
        if sys.argv[3:]:
            from bertsmith.cli.app import main

            main(sys.argv[3:])
    else:
        stopped(int(sys.argv[2]), sys.argv[3:])
