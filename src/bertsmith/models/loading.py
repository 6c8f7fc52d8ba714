"""Loading a MODEL: a RUN, a transformers folder, or a hub name, with an error message for every mistake.

Only safetensors are loaded. Weights are read as float32: the caller chooses the precision, not the file.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertsmith.errors import ModelError
from bertsmith.models.config_labels import read_config_labels
from bertsmith.models.trained_heads import read_trained_heads
from bertsmith.runtime.files import exists
from bertsmith.runtime.hub import check_hub_name, missing_model_error

if TYPE_CHECKING:
    from bertsmith.models.bert import BertForPreTraining

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
MLM_HEAD, NSP_HEAD, POOLER = "cls.predictions", "cls.seq_relationship", "bert.pooler"


def check_model(name: str) -> str:
    """Check that a name can be a MODEL, a finished folder or a hub name, and return it.

    Raises ModelError for a missing folder, an unreachable hub, a folder without configuration or weights, and an
    unfinished RUN.
    """
    folder = Path(name)
    if not exists(folder):
        check_hub_name(name)
        return name
    if not folder.is_dir():
        raise ModelError(f"{name}: found a file, expected the folder of a model")
    if not (folder / "config.json").is_file():
        if (folder / "manifest.json").is_file():
            raise ModelError(f"{name}: found a STORE, expected a model. Try: bertsmith pretrain {name} --out RUN")
        if (folder / "run.json").is_file():
            raise ModelError(_unfinished(folder))
        if folder.parent.name == "seeds" and (folder / "result.json").is_file():
            raise ModelError(
                f"{name}: found no model, because a finished RUN keeps only the model of its best seed. Try: "
                f"{folder.parent.parent}"
            )
        raise ModelError(f"{name}: found no config.json, expected the folder of a model")
    if not any((folder / file).is_file() for file in WEIGHTS):
        if (folder / "run.json").is_file():
            raise ModelError(_unfinished(folder))
        if any(folder.glob("*.bin")) or any(folder.glob("*.ckpt*")):
            raise ModelError(f"{name}: found no model.safetensors; weights in other formats are not loaded")
        raise ModelError(f"{name}: found no weights (model.safetensors)")
    return name


def _unfinished(folder: Path) -> str:
    checkpoints = sorted(folder.glob("checkpoints/step-*"), key=lambda path: int(path.name.removeprefix("step-")))
    text = f"{folder}: this RUN is not finished. To resume it, repeat its command with --resume"
    return f"{text}, or use its checkpoint {checkpoints[-1]}" if checkpoints else text


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence transformers' messages and progress bars during loading and saving; our checks report problems."""
    from transformers.utils import logging as theirs

    level, bars = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    theirs.set_verbosity_error()
    theirs.disable_progress_bar()
    logging.getLogger("transformers.modeling_utils").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        theirs.set_verbosity(level)
        logging.getLogger("transformers.modeling_utils").setLevel(logging.NOTSET)
        if bars:
            theirs.enable_progress_bar()


def load_config(name: str) -> Any:
    """Load the configuration of a MODEL, with checked labels (`models.config_labels`)."""
    from transformers import AutoConfig, PreTrainedConfig

    check_model(name)
    with loading_errors(name), quiet_transformers():
        try:
            labels = read_config_labels(name, PreTrainedConfig.get_config_dict(name)[0])
            return AutoConfig.from_pretrained(name, **labels)
        except (TypeError, AttributeError) as error:
            raise ValueError(f"a value in its config.json has the wrong type ({error})") from None


POSITION_TABLES = ("position_embeddings", "embed_positions", "char_position_embeddings")
"""Names of tables of absolute positions in transformers (tables of coordinates or relative positions differ)."""
DEFAULT_MAX_TOKENS = 512
"""The maximum length of models without a position table and `max_position_embeddings` (XLNet, T5): their training
length."""


def max_tokens(config: Any) -> int:
    """Return the maximum number of tokens of a model, including special tokens, from its position table.

    `max_position_embeddings` can be too large: RoBERTa models number positions from after the id of the padding token,
    and YOSO's table has two rows more than positions. So this function builds the model without weights on torch's
    meta device (about 30 ms for any size) and looks at its table.

    Without a table (rotary or relative positions) it returns `max_position_embeddings`: longer texts would not fail,
    but the model was not trained on them.
    """
    limits = _limits(config)
    if limits:
        return min(limits)
    configured = getattr(config, "max_position_embeddings", None)
    return configured if isinstance(configured, int) and configured > 0 else DEFAULT_MAX_TOKENS


def _limits(config: Any) -> list[int]:
    """Return the number of tokens that each position table of a model supports."""
    import torch
    from transformers import AutoModel

    try:
        with quiet_transformers(), torch.device("meta"):
            model: Any = AutoModel.from_config(config)
    except Exception:  # noqa: BLE001 (loading the model later reports what is wrong)
        return []
    return [
        _supported_tokens(table, model.get_submodule(name.rpartition(".")[0]))
        for name, table in model.named_modules()
        if name.rpartition(".")[2] in POSITION_TABLES and isinstance(getattr(table, "weight", None), torch.Tensor)
    ]


def _supported_tokens(table: Any, parent: Any) -> int:
    """Return the number of tokens that a position table supports.

    Positions start after `padding_idx` if the table has one, or at its `offset`. For other tables, the buffer
    `position_ids` next to it holds the positions in use, which may be fewer than the rows.
    """
    rows = len(table.weight)
    if getattr(table, "padding_idx", None) is not None:
        return rows - int(table.padding_idx) - 1
    used = getattr(parent, "position_ids", None)
    return min(rows - int(getattr(table, "offset", 0)), rows if used is None else int(used.shape[-1]))


@contextmanager
def loading_errors(name: str) -> Iterator[None]:
    """Turn any loading error of a library into a ModelError with one line."""
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[0] if lines else type(error).__name__
        if not exists(name):
            raise missing_model_error(name, reason) from None
        raise ModelError(f"{name}: cannot be loaded as a model: {reason}") from None
    except Exception as error:
        if type(error).__module__.startswith(("safetensors", "huggingface_hub", "httpx")):
            raise ModelError(f"{name}: the weights cannot be read: {error}") from None
        raise


@dataclass(frozen=True)
class LoadedBert:
    """A BERT with both pre-training heads.

    Attributes:
        has_mlm_head, has_nsp_head: whether the head was in the weights and was trained.
        left_out: parts of the weights that the model does not have, in order: "classifier", "qa_outputs", or
            "bert.encoder.layer.6" if config.json has fewer layers.
        doubts: for each head ("mlm", "nsp") why its predictions are unreliable, although it was trained.
    """

    model: BertForPreTraining
    has_mlm_head: bool
    has_nsp_head: bool
    left_out: tuple[str, ...] = ()
    doubts: Mapping[str, str] = field(default_factory=dict)


def load_bert(name: str, **options: Any) -> LoadedBert:
    """Load a MODEL of model_type bert into the pre-training model.

    Raises ModelError for a different architecture, or if encoder weights are missing. A missing pooler or head is not
    an error: it is initialized randomly and `has_mlm_head` or `has_nsp_head` is False, also for a head that was never
    trained according to the run.json of a RUN. Parts that the pre-training model does not have, such as a classifier,
    are left out.
    """
    import torch

    from bertsmith.models.bert import BertForPreTraining

    config = load_config(name)
    if config.model_type != "bert":
        raise ModelError(f"{name}: found the model_type {config.model_type!r}, expected 'bert'")
    if not config.tie_word_embeddings:
        raise ModelError(
            f"{name}: found tie_word_embeddings false in config.json, expected a BERT whose decoder shares the word "
            "embeddings, as in the original"
        )
    with loading_errors(name), quiet_transformers():
        loaded: Any = BertForPreTraining.from_pretrained(
            name,
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **options,
        )
    model, info = loaded
    refuse_mismatches(name, info["mismatched_keys"])
    missing = sorted(info["missing_keys"])
    encoder = [key for key in missing if key.startswith("bert.") and not key.startswith(POOLER)]
    if encoder:
        raise ModelError(
            f"{name}: {len(encoder)} weights of the encoder are missing, for example {encoder[0]}; "
            "the weights do not fit this config.json"
        )
    heads = read_trained_heads(name)
    return LoadedBert(
        model.eval(),
        has_mlm_head="mlm" not in heads.untrained and not any(key.startswith(f"{MLM_HEAD}.") for key in missing),
        has_nsp_head="nsp" not in heads.untrained and not any(key.startswith((NSP_HEAD, POOLER)) for key in missing),
        left_out=_left_out(model, info["unexpected_keys"]),
        doubts=heads.doubts,
    )


def _left_out(model: BertForPreTraining, unexpected: Collection[str]) -> tuple[str, ...]:
    """Return the outermost modules of transformers' unexpected_keys that the model does not have.

    Old files also hold buffers, such as token_type_ids, which are not weights.
    """
    modules = {name for name, _ in model.named_modules()}
    encoder = {name for name, _ in model.bert.named_children()}
    buffers = {name for name, _ in model.named_buffers()}
    parts = set()
    for key in unexpected:
        # A bare BertModel saves its weights without the prefix.
        name = f"bert.{key}" if key.partition(".")[0] in encoder else key
        if name in buffers:
            continue
        words = name.split(".")
        prefixes = (".".join(words[:end]) for end in range(1, len(words) + 1))
        parts.add(next((prefix for prefix in prefixes if prefix not in modules), name))
    return tuple(sorted(parts))


def refuse_mismatches(name: str, mismatched: Collection[Any]) -> None:
    """Raise ModelError if shapes of weights differ from the configuration (transformers' mismatched_keys)."""
    if mismatched:
        key, found, expected = min(mismatched)
        raise ModelError(
            f"{name}: {key} has the shape {list(found)}, expected {list(expected)} from config.json "
            f"({len(mismatched)} weights differ); the weights do not fit this config.json"
        )


def on_device(model: Any, device: str) -> None:
    """Move a model to a device (transformers' `to` is hard to type)."""
    model.to(device)


def load_auto(name: str, auto_class: str, head: str, **options: Any) -> Any:
    """Load a MODEL with one of transformers' Auto classes, for prediction.

    Raises ModelError if weights of the head or the encoder are missing.
    """
    import torch
    import transformers

    config = load_config(name)
    with loading_errors(name), quiet_transformers():
        model, info = getattr(transformers, auto_class).from_pretrained(
            name,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **options,
        )
    refuse_mismatches(name, info["mismatched_keys"])
    missing = [key for key in info["missing_keys"] if not key.startswith("pooler.")]
    if missing:
        raise ModelError(f"{name}: has no {head} ({', '.join(sorted(missing)[:2])} is missing)")
    return model.eval()
