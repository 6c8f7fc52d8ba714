"""Options as tutorials have them: names of transformers' TrainingArguments and example scripts, answered with ours.

What an option is called elsewhere, old and new, is no option here: the answer says what stands for it, or that it is
always so, or why there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_NO_UPLOAD = "nothing is sent anywhere; a RUN is a folder that `hf upload` takes"
_CURVES = "every update is logged in RUN/metrics.jsonl, and RUN/report.html draws it"
_DEVICE = "the device is found; CUDA_VISIBLE_DEVICES= (nothing behind it) hides a GPU"
_FLOAT16 = "numbers of 16 bits are bfloat16: --precision bf16; float16 would need scaling and is not offered"
_STORE = "pre-training reads the STORE that `bertsmith prepare` makes of texts"
_HELD_OUT = "the held-out part of the STORE stands for it, which `bertsmith prepare` chooses"
_BETAS = "AdamW's betas are always 0.9 and 0.98, its epsilon 1e-6"
_SHORTER = "there is none; take a part of the file"

_ANSWERS: tuple[tuple[str, str | None, str | None], ...] = (
    ("model_name_or_path", "it is --model here", "it is --from here; without it training is from scratch"),
    (
        "config_name",
        "the configuration is that of --model",
        "the shape is chosen by --size, or by --layers and the like",
    ),
    ("tokenizer_name", "the tokenizer is that of --model", "the tokenizer is that of the STORE"),
    ("use_fast_tokenizer", "it is always so", "it is always so"),
    ("trust_remote_code", "code that comes with a MODEL is never run", "code that comes with a MODEL is never run"),
    ("output_dir", "it is --out here", "it is --out here"),
    ("overwrite_output_dir", "it is --overwrite here", "it is --overwrite here"),
    ("do_train do_eval do_predict", "all of it is always done", "all of it is always done"),
    ("train_file dataset_name", "it is --train here: a file, or hf:NAME", _STORE),
    ("validation_file eval_file", "it is --dev here: a file, or hf:NAME", _HELD_OUT),
    ("test_file", "it is --test here: a file, or hf:NAME", _HELD_OUT),
    ("dataset_config_name task_name", "it stands in the name of the data: --train hf:glue/mrpc", _STORE),
    ("text_column_name", "it is --text-column here", None),
    ("label_column_name", "it is --label-column here", None),
    ("max_seq_length block_size", "it is --max-length here", "it is --sequence-length here"),
    ("max_length", None, "it is --sequence-length here"),
    ("pad_to_max_length", "batches are always padded to their longest row alone", None),
    (
        "per_device_train_batch_size per_gpu_train_batch_size train_batch_size",
        "it is --batch-size here: the examples of an update",
        "it is --batch-size here: the examples of an update, over all processes",
    ),
    (
        "per_device_eval_batch_size per_gpu_eval_batch_size",
        "it is --eval-batch-size here",
        "there is none: figures do not depend on it",
    ),
    (
        "gradient_accumulation_steps",
        "an update is always of --batch-size examples, however it is divided",
        "an update is always of --batch-size examples; --micro-batch-size divides it",
    ),
    ("num_train_epochs num_epochs", "it is --epochs here", "it is --epochs here; --steps and --minutes are others"),
    ("max_steps max_train_steps", "there is none: give --epochs, which may be a part of one", "it is --steps here"),
    ("lr", "it is --learning-rate here", "it is --learning-rate here"),
    (
        "warmup_ratio warmup_steps num_warmup_steps warmup_proportion",
        "the learning rate always rises over the first 6% of the updates",
        "it is --warmup here, a share of the run",
    ),
    (
        "lr_scheduler_type",
        "the learning rate always rises, then falls linearly to zero",
        "it is --schedule here",
    ),
    ("optim", "the optimizer is always AdamW", "it is --optimizer here"),
    ("adam_beta1 adam_beta2 adam_epsilon", _BETAS, _BETAS),
    ("max_grad_norm", "gradients are always clipped to the norm 1", None),
    (
        "label_smoothing_factor",
        "there is none: the loss is the plain cross-entropy",
        "there is none: the loss is plain",
    ),
    ("class_weight", "it is --class-weights here", None),
    ("fp16 fp16_full_eval", _FLOAT16, _FLOAT16),
    ("bf16 bf16_full_eval", "it is --precision bf16 here", "it is --precision bf16 here"),
    (
        "evaluation_strategy eval_strategy eval_steps",
        "it is --eval-every here, in updates; once an epoch without it",
        "it is --eval-every here, in updates",
    ),
    (
        "save_strategy save_steps",
        "it is --save-every here, in updates; the best weights of the best seed are kept",
        "it is --save-every here, in updates",
    ),
    (
        "save_total_limit",
        "the two newest checkpoints of a seed are kept until it is finished",
        "the two newest checkpoints are kept during training, and the best one; of a finished run the last one",
    ),
    ("num_labels", "the labels are those of the training file", None),
    ("is_regression", "it is --problem-type regression here", None),
    ("doc_stride", "windows always overlap by 128 tokens, at most by half", None),
    ("max_query_length", "a question always has at most 64 tokens", None),
    ("max_answer_length", "an answer always has at most 30 tokens", None),
    ("n_best_size", "`bertsmith answer` gives the best ones where it is asked for several", None),
    (
        "version_2_with_negative null_score_diff_threshold",
        "questions without an answer are found in the files, and the threshold is chosen on --dev",
        None,
    ),
    ("do_lower_case", "it is the tokenizer of --model that knows", "it was said to `bertsmith prepare`"),
    (
        "hidden_dropout_prob attention_probs_dropout_prob",
        "dropout is as in the configuration of --model",
        "it is --dropout here",
    ),
    (
        "load_best_model_at_end",
        "it is always so: the best weights by --dev become the RUN",
        "it is so with --patience; else the weights are those of the end",
    ),
    (
        "metric_for_best_model greater_is_better",
        "it is --metric here: a figure on --dev; whether more is better is known of each",
        "the best is always by the held-out loss",
    ),
    ("early_stopping_patience", "it is --patience here", "it is --patience here"),
    ("logging_steps logging_strategy logging_dir", _CURVES, _CURVES),
    ("report_to", _CURVES, f"{_CURVES}; --tensorboard writes events too"),
    (
        "disable_tqdm",
        "the progress is on standard error: 2> /dev/null",
        "the progress is on standard error: 2> /dev/null",
    ),
    ("resume_from_checkpoint", "it is --resume here", "it is --resume here"),
    (
        "group_by_length train_sampling_strategy length_column_name",
        "it is always so: batches are of rows of like length, in random order",
        "there is none: examples are made up to --sequence-length",
    ),
    ("remove_unused_columns", "only the columns of the text and the label are read", None),
    ("max_train_samples", "it is --max-train-examples here", _SHORTER),
    ("max_eval_samples max_predict_samples", _SHORTER, _SHORTER),
    (
        "dataloader_num_workers preprocessing_num_workers",
        "there is none: texts are encoded once, before training",
        "it is --workers here",
    ),
    ("data_seed", "everything follows from --seed", "everything follows from --seed"),
    ("no_cuda use_cpu", _DEVICE, _DEVICE),
    ("deepspeed", "a head is trained in one process", "there is none; --fsdp divides the model over processes"),
    ("fsdp ddp_find_unused_parameters", "a head is trained in one process", None),
    ("torch_compile", "there is none: a head is trained in less time than it takes", "it is --compile here"),
    ("gradient_checkpointing", "there is none; a smaller --batch-size or --max-length needs less memory", None),
    ("push_to_hub hub_model_id hub_token", _NO_UPLOAD, _NO_UPLOAD),
    ("mlm_probability", "masks belong to `bertsmith pretrain`", "it is --mask-rate here"),
    ("whole_word_mask wwm", "masks belong to `bertsmith pretrain`", "it is --mask-unit word here"),
    ("mlm", "language models are trained by `bertsmith pretrain`", "it is --objective mlm here"),
    ("line_by_line", None, "how texts are divided into documents is said to `bertsmith prepare`"),
    ("n_trials", "it is --search here", "there is none: a pre-training takes its settings as they are"),
    ("hp_space", "it is --search-space here", "there is none: a pre-training takes its settings as they are"),
    ("validation_split_percentage", "the parts are files of their own: --train and --dev", _HELD_OUT),
)
"""Names with the same answers; what is said of them by `finetune` and by `pretrain`. None: the verb has no answer, or
an option of that name."""


def _answers(column: int) -> Mapping[str, str]:
    found = ((name, row[column]) for row in _ANSWERS for name in row[0].split())
    return MappingProxyType({name: answer for name, answer in found if answer is not None})


FINETUNE, PRETRAIN = _answers(1), _answers(2)

_FOLDER = "it is --data here: a folder that holds the tasks"
_KNOWN = "the columns and the kind of each task are known"
_ALONE = "a task by itself has it: bertsmith finetune sequence-classification"
_IN_A_SUITE = {
    "train_file dataset_name validation_file eval_file train dev": _FOLDER,
    "test_file test": "it is --report-on test here, where the folder's test files have labels",
    "dataset_config_name task_name": "it is --tasks here",
    "text_column_name label_column_name num_labels is_regression text_column pair_column label_column": _KNOWN,
    "load_best_model_at_end": "it is always so: the best weights of each seed are kept",
    "metric_for_best_model greater_is_better metric": "checkpoints are chosen by the first of a task's own metrics",
    "validation_split_percentage": "the parts are files of their own in --data",
    "version_2_with_negative null_score_diff_threshold doc_stride max_query_length max_answer_length n_best_size": (
        "no task of GLUE has questions to answer in a text"
    ),
    "class_weight class_weights calibrate teacher unlabelled problem_type": _ALONE,
    "search search_space n_trials hp_space": _ALONE,
}
GLUE: Mapping[str, str] = MappingProxyType(
    {**FINETUNE, **{name: answer for names, answer in _IN_A_SUITE.items() for name in names.split()}}
)
"""What `finetune glue` says of them, and of the options that only a single task has."""
