"""Every folder that is no model is told why; checkpoints of any head load, and it is known which heads they have."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from bertsmith.errors import ModelError
from bertsmith.inference.predictor import Predictor
from bertsmith.models.loading import check_model, load_auto, load_bert, quiet_transformers
from support.stock import assert_same

CONFIG: dict[str, Any] = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
}


def saved(folder: Path, name: str, **values: Any) -> Path:
    """A stock model of this class, saved."""
    torch.manual_seed(0)
    model = getattr(transformers, name)(transformers.BertConfig(**{**CONFIG, **values}))
    with quiet_transformers():
        model.save_pretrained(folder)
    return folder


@pytest.fixture
def copied(run: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the RUN without some of its files."""

    def copy(*left_out: str) -> Path:
        folder = tmp_path / "copy"
        shutil.copytree(run, folder)
        for name in left_out:
            (folder / name).unlink()
        return folder

    return copy


@pytest.mark.parametrize(
    ("name", "mlm", "nsp"),
    [
        ("BertForPreTraining", True, True),
        ("BertForMaskedLM", True, False),
        ("BertForNextSentencePrediction", False, True),
        ("BertModel", False, False),
        ("BertForSequenceClassification", False, False),
    ],
)
def test_which_heads_came_with_the_weights(tmp_path: Path, name: str, mlm: bool, nsp: bool) -> None:
    folder = saved(tmp_path, name)
    loaded = load_bert(str(folder))
    assert (loaded.has_mlm_head, loaded.has_nsp_head) == (mlm, nsp)
    stock = transformers.BertModel.from_pretrained(folder).eval()
    ids = torch.arange(5, 25)[None]
    with torch.no_grad():
        assert_same(loaded.model.bert(ids).last_hidden_state, stock(ids).last_hidden_state, exactly=True)
    assert not loaded.model.training


def test_a_pooler_that_is_missing_means_no_nsp_head(tmp_path: Path) -> None:
    folder = saved(tmp_path, "BertForPreTraining")
    without(folder, "pooler")
    loaded = load_bert(str(folder))
    assert (loaded.has_mlm_head, loaded.has_nsp_head) == (True, False)


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        ("BertForPreTraining", ()),
        ("BertForMaskedLM", ()),
        ("BertModel", ()),
        ("BertForSequenceClassification", ("classifier",)),
        ("BertForTokenClassification", ("classifier",)),
        ("BertForQuestionAnswering", ("qa_outputs",)),
    ],
)
def test_what_has_no_place_in_the_pretraining_model_is_named(
    tmp_path: Path, name: str, left_out: tuple[str, ...]
) -> None:
    assert load_bert(str(saved(tmp_path, name))).left_out == left_out


@pytest.mark.parametrize(("name", "prefix"), [("BertForPreTraining", "bert."), ("BertModel", "")])
def test_a_part_that_is_left_out_has_one_name_whatever_the_weights_of_it_are_called(
    tmp_path: Path, name: str, prefix: str
) -> None:
    """Layers that config.json does not speak of, cross-attention, heads of heads; buffers of old files are no part."""
    folder = saved(tmp_path, name, num_hidden_layers=3)
    weights = load_file(folder / "model.safetensors")
    for key in ("embeddings.position_ids", "embeddings.token_type_ids"):
        weights[f"{prefix}{key}"] = torch.zeros(1, 40, dtype=torch.int64)
    weights[f"{prefix}encoder.layer.0.crossattention.self.query.weight"] = torch.ones(32, 32)
    weights["heads.first.weight"] = weights["heads.second.weight"] = torch.ones(2, 32)
    weights = {key: tensor.clone() for key, tensor in weights.items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 1}))
    assert load_bert(str(folder)).left_out == (
        "bert.encoder.layer.0.crossattention",
        "bert.encoder.layer.1",
        "bert.encoder.layer.2",
        "heads",
    )


def test_weights_are_read_as_float32(tmp_path: Path) -> None:
    model = transformers.BertForPreTraining(transformers.BertConfig(**CONFIG)).bfloat16()
    with quiet_transformers():
        model.save_pretrained(tmp_path)
    loaded = load_bert(str(tmp_path)).model
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "~/nowhere", "a/b/c"])
def test_a_missing_folder(name: str) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        check_model(name)


def test_a_name_that_could_be_of_the_hub_is_looked_for_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_model("someone/some-model") == "someone/some-model"
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"someone/some-model: no such folder, and no model of this name from the hub"):
        load_bert("someone/some-model")


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"x")
    with pytest.raises(ModelError, match=r"model\.safetensors: found a file, expected the folder"):
        check_model(str(file))


def test_a_folder_without_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"found no config\.json, expected the folder of a model"):
        check_model(str(tmp_path))


def test_a_store(store: Path) -> None:
    with pytest.raises(ModelError, match=r"found a STORE, expected a model. Try: bertsmith pretrain .* --out RUN"):
        check_model(str(store))


def test_an_unfinished_run(copied: Callable[..., Path]) -> None:
    folder = copied("config.json", "model.safetensors")
    checkpoint = folder / "checkpoints" / "step-10"
    assert checkpoint.is_dir()
    (folder / "checkpoints" / "step-9").mkdir()
    with pytest.raises(ModelError, match=r"not finished. To resume it, .* --resume, or use its checkpoint .*step-10"):
        check_model(str(folder))
    assert check_model(str(checkpoint)), "a checkpoint is a model by itself"
    shutil.rmtree(folder / "checkpoints")
    with pytest.raises(ModelError, match=r"not finished. To resume it, repeat its command with --resume$"):
        check_model(str(folder))


def test_a_run_without_its_weights_is_unfinished(copied: Callable[..., Path]) -> None:
    with pytest.raises(ModelError, match="not finished"):
        check_model(str(copied("model.safetensors")))


def test_a_checkpoint_is_a_model(run: Path) -> None:
    loaded = load_bert(str(run / "checkpoints" / "step-10"))
    final = load_bert(str(run))
    for name, tensor in final.model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], tensor)


def test_pickled_weights_are_not_loaded(tmp_path: Path) -> None:
    folder = saved(tmp_path, "BertForMaskedLM")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"found no model\.safetensors; weights in other formats are not loaded"):
        load_bert(str(folder))


def test_a_tensorflow_checkpoint_is_not_loaded(tmp_path: Path) -> None:
    transformers.BertConfig(**CONFIG).save_pretrained(tmp_path)
    (tmp_path / "bert_model.ckpt.index").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"found no model\.safetensors; weights in other formats are not loaded"):
        check_model(str(tmp_path))


def test_no_weights_at_all(tmp_path: Path) -> None:
    transformers.BertConfig(**CONFIG).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"found no weights \(model\.safetensors\)"):
        check_model(str(tmp_path))


def test_another_architecture(tmp_path: Path) -> None:
    config = transformers.DistilBertConfig(vocab_size=60, dim=32, n_layers=1, n_heads=2, hidden_dim=48)
    with quiet_transformers():
        transformers.DistilBertForMaskedLM(config).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"found the model_type 'distilbert', expected 'bert'"):
        load_bert(str(tmp_path))


def without(folder: Path, part: str) -> None:
    """Delete the weights whose name has this part."""
    weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if part not in name}
    assert len(kept) < len(weights)
    save_file(kept, folder / "model.safetensors", {"format": "pt"})


def test_missing_weights_of_the_encoder(tmp_path: Path) -> None:
    folder = saved(tmp_path, "BertForPreTraining")
    without(folder, "attention.self.query")
    with pytest.raises(ModelError, match=r"2 weights of the encoder are missing.*query"):
        load_bert(str(folder))


def test_weights_of_another_shape(tmp_path: Path) -> None:
    folder = saved(tmp_path, "BertForPreTraining")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": 70}))
    with pytest.raises(ModelError, match=r"word_embeddings\.weight has the shape \[60, 32\], expected \[70, 32\]"):
        load_bert(str(folder))
    with pytest.raises(ModelError, match="has the shape"):
        load_auto(str(folder), "AutoModelForMaskedLM", "MLM head")


@pytest.mark.parametrize("content", [b"", b"not safetensors at all", b"\x08\x00\x00\x00\x00\x00\x00\x00garbage!"])
def test_corrupt_weights(tmp_path: Path, content: bytes) -> None:
    folder = saved(tmp_path, "BertForPreTraining")
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match="weights cannot be read"):
        load_bert(str(folder))


def test_weights_that_are_cut_off(tmp_path: Path) -> None:
    folder = saved(tmp_path, "BertForPreTraining")
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match="weights cannot be read"):
        load_bert(str(folder))


def test_a_configuration_that_is_not_json(tmp_path: Path) -> None:
    folder = saved(tmp_path, "BertForPreTraining")
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be loaded as a model"):
        load_bert(str(folder))


def test_a_model_type_that_transformers_does_not_know(tmp_path: Path) -> None:
    folder = saved(tmp_path, "BertForPreTraining")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "nonsense"}))
    with pytest.raises(ModelError, match="cannot be loaded as a model"):
        load_bert(str(folder))


def test_a_head_that_is_missing_is_named(tmp_path: Path) -> None:
    folder = saved(tmp_path, "BertModel")
    with pytest.raises(ModelError, match=r"has no classification head \(classifier\.bias"):
        load_auto(str(folder), "AutoModelForSequenceClassification", "classification head")
    assert load_auto(str(folder), "AutoModel", "encoder") is not None


def test_a_model_without_a_tokenizer(tmp_path: Path) -> None:
    folder = saved(tmp_path, "BertForPreTraining")
    with pytest.raises(ModelError, match=r"found no tokenizer in this folder, expected tokenizer\.json or vocab\.txt"):
        Predictor(str(folder))
