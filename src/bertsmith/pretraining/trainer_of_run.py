"""The Trainer of a pre-training run, from its components."""

from __future__ import annotations

import math

from bertsmith.pretraining.components import Components
from bertsmith.pretraining.measuring import measures
from bertsmith.training.batches import UpdateBatches
from bertsmith.training.plan import Evaluations, Saving, TrainingPlan, Work
from bertsmith.training.run_folder import RunFolder
from bertsmith.training.trainer import ExactTrainer


def make_trainer(components: Components, folder: RunFolder, examples: int) -> ExactTrainer:
    """The Trainer of a run; its evaluations take this many held-out examples, and as many of a general text."""
    options, computation = components.options, components.computation
    held_out, general = measures(components, examples)
    plan = TrainingPlan(
        course=components.course,
        losses=components.losses,
        optimization=components.optimization,
        computation=computation,
        evaluations=Evaluations(
            held_out,
            general,
            every=options.eval_every,
            at_end=options.patience is not None,
            judge="nsp_nats_per_pair" if options.objective == "nsp" else "mlm_nats_per_masked_token",
            patience=options.patience,
        ),
        saving=Saving(options.save_every),
        seed=options.seed,
        work=Work(components.flops, components.peak),
        tensorboard=options.tensorboard,
        title="pre-training",
    )
    size = math.ceil(components.micro_batch.size / computation.streams)
    batches = UpdateBatches(components.phases, micro_batch_size=size)
    return ExactTrainer(components.setup.model, components.tokenizer, batches, folder=folder, plan=plan)
