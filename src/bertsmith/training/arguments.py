"""The arguments of the stock Trainer."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import TrainingArguments

from bertsmith.training.plan import TrainingPlan


def arguments_of(plan: TrainingPlan, out: Path, micro_batch_size: int) -> TrainingArguments:
    """What the stock Trainer has to know; what this one does itself is switched off."""
    args = TrainingArguments(
        output_dir=str(out),
        max_steps=plan.budget.max_steps,
        per_device_train_batch_size=micro_batch_size,
        learning_rate=plan.optimization.learning_rate,
        max_grad_norm=plan.optimization.max_grad_norm,
        use_cpu=not torch.cuda.is_available(),
        seed=plan.seed,
        ddp_find_unused_parameters=False,
        dataloader_num_workers=plan.computation.workers,
        dataloader_pin_memory=torch.cuda.is_available(),
        # The loader has its own generator, so the restored random state is not drawn from before the first step;
        # skipping is an offset of the sampler.
        ignore_data_skip=True,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        eval_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=[],
    )
    args._n_gpu = min(args.n_gpu, 1)
    # accelerate's would be that of every forward pass of the model, including evaluations and those after a run.
    args.mixed_precision = "no"
    return args
