"""How much a teacher counts where nothing is said, in pre-training and in fine-tuning."""

WEIGHT = 0.5
"""The share of its answers in the loss, as in transformers' examples (run_squad_w_distillation.py)."""

TEMPERATURE = 2.0
"""What softens its answers and the student's; DistilBERT's."""
