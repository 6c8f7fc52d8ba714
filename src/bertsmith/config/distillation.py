"""Defaults of distillation, in pre-training and in fine-tuning."""

WEIGHT = 0.5
"""Weight of the teacher in the loss, as in transformers' examples (run_squad_w_distillation.py)."""

TEMPERATURE = 2.0
"""Temperature of the logits of teacher and student, as for DistilBERT."""
