"""The Trainer of a pre-training run."""

from __future__ import annotations

import math

from bertsmith.pretraining.components import Components
from bertsmith.pretraining.measuring import measures
from bertsmith.training.micro_batches import MicroBatchDataset
from bertsmith.training.run_folder import RunFolder
from bertsmith.training.trainer import ExactTrainer
from bertsmith.training.training_plan import Evaluations, Saving, TrainingPlan, Work


def make_trainer(components: Components, folder: RunFolder, examples: int) -> ExactTrainer:
    """Return the Trainer of a run; its evaluations measure at most `examples` examples per text."""
    options, computation = components.options, components.computation
    held_out, general = measures(components, examples)
    plan = TrainingPlan(
        updates=components.updates,
        losses=components.losses,
        optimization=components.optimization,
        computation=computation,
        evaluations=Evaluations(
            held_out,
            general,
            every=options.eval_every,
            at_end=options.patience is not None,
            best_by="nsp_nats_per_pair" if options.objective == "nsp" else "mlm_nats_per_masked_token",
            patience=options.patience,
        ),
        saving=Saving(options.save_every),
        seed=options.seed,
        work=Work(components.flops, components.peak),
        tensorboard=options.tensorboard,
        title="pre-training",
    )
    size = math.ceil(components.micro_batch.size / computation.micro_batch_threads)
    dataset = MicroBatchDataset(components.phases, micro_batch_size=size)
    return ExactTrainer(components.setup.model, components.tokenizer, dataset, folder=folder, plan=plan)
