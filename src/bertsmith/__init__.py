"""Bertsmith: train a BERT from raw text and put it to use.

    import bertsmith

    bertsmith.prepare("corpus/", out="data/corpus", vocab_size=8192)
    bertsmith.pretrain("data/corpus", out="runs/corpus", size="mini", minutes=10)
    model = bertsmith.load("runs/corpus")
    model.fill_mask("Observe what thy nature [MASK] of thee.", top_k=5)

Public names are imported when they are first used, so that `import bertsmith` takes milliseconds.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bertsmith.corpus.store import TokenStore as TokenStore
    from bertsmith.errors import BertsmithError as BertsmithError
    from bertsmith.inference.predictor import Predictor as Predictor
    from bertsmith.objectives.collator import PretrainingCollator as PretrainingCollator
    from bertsmith.objectives.examples import PretrainingDataset as PretrainingDataset
    from bertsmith.verbs.compare import compare as compare
    from bertsmith.verbs.doctor import doctor as doctor
    from bertsmith.verbs.evaluate import evaluate as evaluate
    from bertsmith.verbs.extend_tokenizer import extend_tokenizer as extend_tokenizer
    from bertsmith.verbs.finetune import finetune as finetune
    from bertsmith.verbs.finetune_glue import finetune_glue as finetune_glue
    from bertsmith.verbs.predict import load as load
    from bertsmith.verbs.prepare import prepare as prepare
    from bertsmith.verbs.pretrain import pretrain as pretrain
    from bertsmith.verbs.quickstart import quickstart as quickstart
    from bertsmith.verbs.report import report as report
    from bertsmith.verbs.score import score as score
    from bertsmith.verbs.train_tokenizer import train_tokenizer as train_tokenizer

# These settings do four things: libraries send no usage statistics; tokenizers keeps its threads after a fork; torch's
# threads wait for each other for some microseconds and then sleep (waiting longer takes cores from other programs, and
# sleeping at once costs a wake-up per small operation: benchmarks/notes.md); and CUDA's matrix products are
# deterministic, which needs a fixed workspace.
_waiting = {} if "OMP_WAIT_POLICY" in os.environ else {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "3000"}
_cuda = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
for _name, _value in {"HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "true", **_waiting, **_cuda}.items():
    os.environ.setdefault(_name, _value)

_PUBLIC = {
    "BertsmithError": "bertsmith.errors",
    "Predictor": "bertsmith.inference.predictor",
    "PretrainingCollator": "bertsmith.objectives.collator",
    "PretrainingDataset": "bertsmith.objectives.examples",
    "TokenStore": "bertsmith.corpus.store",
    "compare": "bertsmith.verbs.compare",
    "doctor": "bertsmith.verbs.doctor",
    "evaluate": "bertsmith.verbs.evaluate",
    "extend_tokenizer": "bertsmith.verbs.extend_tokenizer",
    "finetune": "bertsmith.verbs.finetune",
    "finetune_glue": "bertsmith.verbs.finetune_glue",
    "load": "bertsmith.verbs.predict",
    "prepare": "bertsmith.verbs.prepare",
    "pretrain": "bertsmith.verbs.pretrain",
    "quickstart": "bertsmith.verbs.quickstart",
    "report": "bertsmith.verbs.report",
    "score": "bertsmith.verbs.score",
    "train_tokenizer": "bertsmith.verbs.train_tokenizer",
}

__all__ = sorted(_PUBLIC)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(_PUBLIC[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'bertsmith' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
