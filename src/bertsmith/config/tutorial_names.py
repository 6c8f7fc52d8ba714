"""Replies to option names of tutorials (transformers' TrainingArguments and example scripts) and of earlier versions.

A reply names our option, or says that the behaviour is fixed, or why there is no such option.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_NO_UPLOAD = "nothing is uploaded; a RUN is a folder that `hf upload` takes"
_CURVES = "every update is logged in RUN/metrics.jsonl and drawn in RUN/report.html"
_DEVICE = "a GPU is used if there is one; the environment variable CUDA_VISIBLE_DEVICES= (empty) hides it"
_FLOAT16 = "the only 16-bit format is bfloat16: --precision bf16"
_STORE = "pre-training reads the STORE that `bertsmith prepare` writes"
_HELD_OUT = "`bertsmith prepare --held-out` chooses the evaluation text"
_BETAS = "AdamW's betas are always 0.9 and 0.98, its epsilon is 1e-6"
_SHORTER = "shorten the file instead"

_REPLIES: tuple[tuple[str, str | None, str | None], ...] = (
    ("model_name_or_path", "use --model", "use --from; without it, training starts from scratch"),
    (
        "config_name",
        "the configuration comes from --model",
        "use --size, or --layers, --hidden-size and --attention-heads",
    ),
    ("tokenizer_name", "the tokenizer comes from --model", "the tokenizer comes from the STORE"),
    ("use_fast_tokenizer", "tokenizers are always fast", "tokenizers are always fast"),
    ("trust_remote_code", "code that comes with a MODEL is never run", "code that comes with a MODEL is never run"),
    ("output_dir", "use --out", "use --out"),
    ("overwrite_output_dir", "use --overwrite", "use --overwrite"),
    ("do_train do_eval do_predict", "training and evaluation always run", "training and evaluation always run"),
    ("train_file dataset_name", "use --train: a file, or hf:NAME", _STORE),
    ("validation_file eval_file", "use --dev: a file, or hf:NAME", _HELD_OUT),
    ("test_file", "use --test: a file, or hf:NAME", _HELD_OUT),
    ("dataset_config_name task_name", "it is part of the data set's name: --train hf:glue/mrpc", _STORE),
    ("text_column_name", "use --text-column", None),
    ("label_column_name", "use --label-column", None),
    ("max_seq_length block_size", "use --max-length", "use --sequence-length"),
    ("max_length", None, "use --sequence-length"),
    ("pad_to_max_length", "batches are always padded to their longest row", None),
    (
        "per_device_train_batch_size per_gpu_train_batch_size train_batch_size",
        "use --batch-size: examples per update",
        "use --batch-size: examples per update, over all processes",
    ),
    (
        "per_device_eval_batch_size per_gpu_eval_batch_size",
        "use --eval-batch-size",
        "the batch size of an evaluation does not change the figures",
    ),
    (
        "gradient_accumulation_steps",
        "an update always has --batch-size examples; --micro-batch-tokens only limits memory",
        "an update always has --batch-size examples; --micro-batch-size only limits memory",
    ),
    ("num_train_epochs num_epochs", "use --epochs", "use --epochs, or --steps or --minutes"),
    ("max_steps max_train_steps", "use --epochs, which may be fractional", "use --steps"),
    ("lr", "use --learning-rate", "use --learning-rate"),
    (
        "warmup_ratio warmup_steps num_warmup_steps warmup_proportion",
        "warmup is always the first 6% of the updates",
        "use --warmup, a share of the run",
    ),
    (
        "lr_scheduler_type",
        "the schedule is always linear, after warmup",
        "use --schedule",
    ),
    ("optim", "the optimizer is always AdamW", "use --optimizer"),
    ("adam_beta1 adam_beta2 adam_epsilon", _BETAS, _BETAS),
    ("max_grad_norm", "gradients are always clipped to norm 1", None),
    (
        "label_smoothing_factor",
        "the loss has no label smoothing",
        "the loss has no label smoothing",
    ),
    ("class_weight", "use --class-weights", None),
    ("fp16 fp16_full_eval", _FLOAT16, _FLOAT16),
    ("bf16 bf16_full_eval", "use --precision bf16", "use --precision bf16"),
    (
        "evaluation_strategy eval_strategy eval_steps",
        "use --eval-every, in updates (default: once per epoch)",
        "use --eval-every, in updates",
    ),
    (
        "save_strategy save_steps",
        "use --save-every, in updates; the best weights of the best seed are kept",
        "use --save-every, in updates",
    ),
    (
        "save_total_limit",
        "the two newest checkpoints of a seed are kept until the seed is finished",
        "training keeps the two newest checkpoints and the best one; a finished run keeps the last one",
    ),
    ("num_labels", "the labels come from the training file", None),
    ("is_regression", "use --problem-type regression", None),
    ("doc_stride", "windows always overlap by 128 tokens, or by half if they are short", None),
    ("max_query_length", "questions are always cut to 64 tokens", None),
    ("max_answer_length", "answers always have at most 30 tokens", None),
    ("n_best_size", "use `bertsmith answer --top-k` with the finished RUN", None),
    (
        "version_2_with_negative null_score_diff_threshold",
        "questions without an answer are detected in the files, and --dev chooses the threshold",
        None,
    ),
    (
        "do_lower_case",
        "the tokenizer of --model decides",
        "use `bertsmith prepare --cased`; by default text is lower-cased",
    ),
    (
        "hidden_dropout_prob attention_probs_dropout_prob",
        "dropout comes from the configuration of --model",
        "use --dropout",
    ),
    (
        "load_best_model_at_end",
        "the weights that are best on --dev always become the RUN",
        "use --patience to keep the best weights; without it the last weights are kept",
    ),
    (
        "metric_for_best_model greater_is_better",
        "use --metric: a figure on --dev; its direction is known",
        "the best checkpoint is always the one with the lowest held-out loss",
    ),
    ("early_stopping_patience", "use --patience", "use --patience"),
    ("logging_steps logging_strategy logging_dir", _CURVES, _CURVES),
    ("report_to", _CURVES, f"{_CURVES}; --tensorboard writes events too"),
    (
        "disable_tqdm",
        "progress is written to standard error; hide it with 2> /dev/null",
        "progress is written to standard error; hide it with 2> /dev/null",
    ),
    ("resume_from_checkpoint", "use --resume", "use --resume"),
    (
        "group_by_length train_sampling_strategy length_column_name",
        "batches always hold rows of similar length, in random order",
        "examples are always filled up to --sequence-length",
    ),
    ("remove_unused_columns", "only the columns of text and label are read", None),
    ("max_train_samples", "use --max-train-examples", _SHORTER),
    ("max_eval_samples max_predict_samples", _SHORTER, _SHORTER),
    (
        "dataloader_num_workers preprocessing_num_workers",
        "texts are encoded once, before training",
        "use --workers",
    ),
    ("data_seed", "use --seed for everything random", "use --seed for everything random"),
    ("no_cuda use_cpu", _DEVICE, _DEVICE),
    ("deepspeed", "fine-tuning runs in one process", "use --fsdp to shard the model over processes"),
    ("fsdp ddp_find_unused_parameters", "fine-tuning runs in one process", None),
    ("torch_compile", "fine-tuning does not compile the model", "use --compile"),
    ("gradient_checkpointing", "use a smaller --micro-batch-tokens or --max-length to save memory", None),
    ("push_to_hub hub_model_id hub_token", _NO_UPLOAD, _NO_UPLOAD),
    ("mlm_probability", "masking is for `bertsmith pretrain`", "use --mask-rate"),
    ("whole_word_mask wwm", "masking is for `bertsmith pretrain`", "use --mask-unit word"),
    ("mlm", "use `bertsmith pretrain` to train a language model", "use --objective mlm"),
    ("line_by_line", None, "use `bertsmith prepare --documents`"),
    ("n_trials", "use --search", "only `bertsmith finetune --search` searches settings"),
    ("hp_space", "use --search-space", "only `bertsmith finetune --search` searches settings"),
    ("auto_batch", None, "it is called --auto-micro-batch now"),
    ("validation_split_percentage", "use separate files: --train and --dev", _HELD_OUT),
)
"""Names with the same replies; the reply of `finetune`, and that of `pretrain`. None: the verb has no reply, or an
option of this name."""


def _replies(column: int) -> Mapping[str, str]:
    found = ((name, row[column]) for row in _REPLIES for name in row[0].split())
    return MappingProxyType({name: reply for name, reply in found if reply is not None})


FINETUNE: Mapping[str, str] = _replies(1)
PRETRAIN: Mapping[str, str] = _replies(2)
SCORE: Mapping[str, str] = MappingProxyType({"gold": "it is called labels now"})

_SUITE_FOLDER = "use --data: the folder with the tasks"
_KNOWN_COLUMNS = "columns and labels of the tasks are known"
_SINGLE_TASKS = "it is an option for single tasks: bertsmith finetune sequence-classification"
_IN_A_SUITE = {
    "train_file dataset_name validation_file eval_file train dev": _SUITE_FOLDER,
    "test_file test": "use --report-on test; it needs test files with labels",
    "dataset_config_name task_name": "use --tasks",
    "text_column_name label_column_name num_labels is_regression text_column pair_column label_column": _KNOWN_COLUMNS,
    "load_best_model_at_end": "the best weights of each seed are always kept",
    "metric_for_best_model greater_is_better metric": "the first metric of a task always chooses the checkpoint",
    "validation_split_percentage": "--data has separate files for train and dev",
    "version_2_with_negative null_score_diff_threshold doc_stride max_query_length max_answer_length n_best_size": (
        "GLUE has no question answering"
    ),
    "class_weight class_weights calibrate teacher unlabelled problem_type": _SINGLE_TASKS,
    "search search_space n_trials hp_space": _SINGLE_TASKS,
}
GLUE: Mapping[str, str] = MappingProxyType(
    {**FINETUNE, **{name: reply for names, reply in _IN_A_SUITE.items() for name in names.split()}}
)
"""Replies of `finetune glue`, also to the options of single tasks."""
