"""The arguments of transformers' Trainer."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import TrainingArguments

from bertsmith.training.training_plan import TrainingPlan


def training_arguments(plan: TrainingPlan, out: Path, micro_batch_size: int) -> TrainingArguments:
    """Return the arguments; whatever `ExactTrainer` does itself is switched off."""
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
        # The sampler of a resumed run starts at its first update, so there is nothing to skip.
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
    # accelerate would apply its precision to every forward pass of the model, including evaluations.
    args.mixed_precision = "no"
    return args
