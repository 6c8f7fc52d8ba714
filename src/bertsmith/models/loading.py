"""MODEL to model: a RUN, a stock folder, or a hub name, with every mistake named in plain words.

Only safetensors are loaded. Weights are read as float32: precision is the caller's choice, not the file's.
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
from bertsmith.models.labels import labels_of
from bertsmith.models.trained_heads import trained_heads
from bertsmith.runtime.files import exists
from bertsmith.runtime.hub import check_hub_name, missing_model_error

if TYPE_CHECKING:
    from bertsmith.models.bert import BertForPreTraining

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
MLM_HEAD, NSP_HEAD, POOLER = "cls.predictions", "cls.seq_relationship", "bert.pooler"


def check_model(name: str) -> str:
    """The name, once it can be a MODEL: a finished folder, or something that can be a hub name.

    Raises ModelError for a missing folder, a hub that cannot be reached, a folder without configuration or weights, and
    an unfinished RUN.
    """
    folder = Path(name)
    if not exists(folder):
        check_hub_name(name)
        return name
    if not folder.is_dir():
        raise ModelError(f"{name}: is a file, expected the folder of a model")
    if not (folder / "config.json").is_file():
        if (folder / "manifest.json").is_file():
            raise ModelError(
                f"{name}: is a STORE, not a model; `bertsmith pretrain {name} --out RUN` makes one from it"
            )
        if (folder / "run.json").is_file():
            raise ModelError(_unfinished(folder))
        if folder.parent.name == "seeds" and (folder / "result.json").is_file():
            raise ModelError(
                f"{name}: a finished RUN keeps the model of its best seed only, and of each seed the figures; use "
                f"{folder.parent.parent}"
            )
        raise ModelError(f"{name}: not a model folder (no config.json in it)")
    if not any((folder / file).is_file() for file in WEIGHTS):
        if (folder / "run.json").is_file():
            raise ModelError(_unfinished(folder))
        if any(folder.glob("*.bin")) or any(folder.glob("*.ckpt*")):
            raise ModelError(f"{name}: only safetensors are loaded, and there is no model.safetensors in this folder")
        raise ModelError(f"{name}: no weights in this folder (model.safetensors)")
    return name


def _unfinished(folder: Path) -> str:
    checkpoints = sorted(folder.glob("checkpoints/step-*"), key=lambda path: int(path.name.removeprefix("step-")))
    text = f"{folder}: this RUN is not finished; go on with its command and --resume"
    return f"{text}, or use {checkpoints[-1]} as it is" if checkpoints else text


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Hold back transformers' own reports and bars while it loads or saves: what matters is said by us."""
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
    """The configuration of a MODEL, with labels that number its outputs (`models.labels`)."""
    from transformers import AutoConfig, PreTrainedConfig

    check_model(name)
    with explained(name), quiet_transformers():
        try:
            labels = labels_of(name, PreTrainedConfig.get_config_dict(name)[0])
            return AutoConfig.from_pretrained(name, **labels)
        except (TypeError, AttributeError) as error:
            raise ValueError(f"a value in its config.json has the wrong type ({error})") from None


POSITION_TABLES = ("position_embeddings", "embed_positions", "char_position_embeddings")
"""The names of absolute position tables in transformers; those of coordinates and of relative positions have others."""
WITHOUT_LIMIT = 512
"""The length for a model that has neither a position table nor `max_position_embeddings` (XLNet, T5): the length that
such models were trained with."""


def max_tokens(config: Any) -> int:
    """The number of tokens that a model takes, special tokens included, by its position table.

    `max_position_embeddings` is not that number: models of the RoBERTa family count positions from behind the id of
    the padding token, and YOSO's table has two rows more than positions. So the model is built without weights, on
    torch's meta device (some 30 ms for a model of any size), and its table is looked at.

    A model without a table (rotary or relative positions) takes `max_position_embeddings`: more would not fail, but
    the model was not trained for it.
    """
    limits = _limits(config)
    if limits:
        return min(limits)
    said = getattr(config, "max_position_embeddings", None)
    return said if isinstance(said, int) and said > 0 else WITHOUT_LIMIT


def _limits(config: Any) -> list[int]:
    """The number of tokens that each position table of a model has room for."""
    import torch
    from transformers import AutoModel

    try:
        with quiet_transformers(), torch.device("meta"):
            model: Any = AutoModel.from_config(config)
    except Exception:  # noqa: BLE001 (no model can be built from this configuration: loading it says why)
        return []
    return [
        _room(table, model.get_submodule(name.rpartition(".")[0]))
        for name, table in model.named_modules()
        if name.rpartition(".")[2] in POSITION_TABLES and isinstance(getattr(table, "weight", None), torch.Tensor)
    ]


def _room(table: Any, parent: Any) -> int:
    """The number of tokens that a position table has room for.

    A table with a `padding_idx` is read from the row behind it, one with an `offset` from that row. The buffer
    `position_ids` next to any other table holds the positions in use, which can be fewer than the rows.
    """
    rows = len(table.weight)
    if getattr(table, "padding_idx", None) is not None:
        return rows - int(table.padding_idx) - 1
    used = getattr(parent, "position_ids", None)
    return min(rows - int(getattr(table, "offset", 0)), rows if used is None else int(used.shape[-1]))


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn whatever a library says of a MODEL that it cannot load into a ModelError of one line."""
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
    """A BERT with both pre-training heads, and which of them came with the weights and were trained.

    `doubts` says by head ("mlm", "nsp") why the answers of one that was trained are not to be relied on. `left_out`
    names the parts of the weights that have no place in it, in order: "classifier", "qa_outputs", or
    "bert.encoder.layer.6" where config.json says that there are fewer layers.
    """

    model: BertForPreTraining
    has_mlm_head: bool
    has_nsp_head: bool
    left_out: tuple[str, ...] = ()
    doubts: Mapping[str, str] = field(default_factory=dict)


def load_bert(name: str, **options: Any) -> LoadedBert:
    """Load a MODEL of model_type bert into the pre-training model.

    Raises ModelError for another architecture, and where encoder weights are missing. A missing pooler or head is
    not an error: it starts fresh, and whoever needs it is told. One that is there and was never trained, by the
    run.json of a RUN, counts as missing. Neither is a part that the pre-training model does
    not have, such as a classifier: it is left out.
    """
    import torch

    from bertsmith.models.bert import BertForPreTraining

    config = load_config(name)
    if config.model_type != "bert":
        raise ModelError(f"{name}: its model_type is {config.model_type!r}, expected 'bert'")
    if not config.tie_word_embeddings:
        raise ModelError(
            f"{name}: its config.json has tie_word_embeddings false, a decoder apart from the word embeddings; "
            "expected a BERT that shares them, as the original does"
        )
    with explained(name), quiet_transformers():
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
            f"{name}: {len(encoder)} weights of the encoder are missing, {encoder[0]} among them; "
            "the weights do not belong to this config.json"
        )
    heads = trained_heads(name)
    return LoadedBert(
        model.eval(),
        has_mlm_head="mlm" not in heads.untrained and not any(key.startswith(f"{MLM_HEAD}.") for key in missing),
        has_nsp_head="nsp" not in heads.untrained and not any(key.startswith((NSP_HEAD, POOLER)) for key in missing),
        left_out=_left_out(model, info["unexpected_keys"]),
        doubts=heads.doubts,
    )


def _left_out(model: BertForPreTraining, unexpected: Collection[str]) -> tuple[str, ...]:
    """The parts that these weights (transformers' unexpected_keys) belong to, each by the name of its outermost module
    that the model does not have. Old files hold buffers too, such as token_type_ids: they are no weights.
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
    """Raise ModelError where weights have another shape than the configuration says (transformers' mismatched_keys)."""
    if mismatched:
        key, found, expected = min(mismatched)
        raise ModelError(
            f"{name}: {key} has the shape {list(found)}, config.json says {list(expected)} "
            f"({len(mismatched)} such weights); the weights do not belong to this config.json"
        )


def on_device(model: Any, device: str) -> None:
    """Move a model's weights (stock's `to` is typed for nothing but itself)."""
    model.to(device)


def load_auto(name: str, auto_class: str, head: str, **options: Any) -> Any:
    """Load a MODEL with one of transformers' Auto classes, for prediction.

    Raises ModelError where weights of the head or the encoder are missing.
    """
    import torch
    import transformers

    config = load_config(name)
    with explained(name), quiet_transformers():
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
