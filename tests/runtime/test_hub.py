"""A name that is neither a folder nor a model of the hub is answered at once, with the folders that may be meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from bertsmith.errors import ModelError
from bertsmith.models.loading import check_model
from bertsmith.runtime.hub import PATIENCE, is_from_hub, is_hub_name, unreachable
from bertsmith.tokenization.folder import load_tokenizer


class NoNetwork:
    """A session of the hub's client whose every request fails; it counts them."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def head(self, url: str, **values: Any) -> None:
        self.asked.append(values)
        raise OSError("[Errno -2] Name or service not known")


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> NoNetwork:
    """A machine without a connection and with an empty cache, that was not told so."""
    session = NoNetwork()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub, "get_session", lambda: session)
    here = tmp_path / "here"
    (here / "runs" / "books").mkdir(parents=True)
    (here / "runs" / "file").write_text("")
    monkeypatch.chdir(here)
    return session


def in_cache(cache: Path, name: str) -> None:
    """Let the hub's cache hold the configuration of a model."""
    folder = cache / f"models--{name.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "snapshots" / "abc" / "config.json").write_text("{}")


LOADERS: tuple[Callable[[str], Any], ...] = (check_model, load_tokenizer)


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("name", ["./runs/boks", "runs/boks", "runs/books/checkpoint", "~/boks", "/boks/books", "../x"])
def test_a_path_is_not_asked_of_the_hub(network: NoNetwork, load: Callable[[str], Any], name: str) -> None:
    with pytest.raises(ModelError) as raised:
        load(name)
    assert f"{name}: no such folder, expected a RUN" in str(raised.value)
    assert network.asked == []
    assert ("did you mean the folder runs/books?" in str(raised.value)) == ("boks" in name)


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("name", ["boks", "org/boks"])
def test_a_hub_name_is_asked_once(network: NoNetwork, load: Callable[[str], Any], name: str) -> None:
    with pytest.raises(ModelError) as raised:
        load(name)
    assert str(raised.value) == (
        f"{name}: no such folder, and no model of this name from the hub (it cannot be reached: "
        "[Errno -2] Name or service not known); did you mean the folder runs/books?"
    )
    assert network.asked == [{"timeout": PATIENCE}]


def test_a_model_in_the_cache_needs_no_connection(network: NoNetwork, tmp_path: Path) -> None:
    in_cache(tmp_path / "cache", "org/bert")
    assert check_model("org/bert") == "org/bert"
    assert network.asked == []


def test_in_offline_mode_the_client_is_left_to_say_so(network: NoNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert unreachable() is None and network.asked == []
    assert check_model("org/bert") == "org/bert"


@pytest.mark.parametrize("name", ["a b", "--x", "org/"])
def test_what_can_be_no_name_of_the_hub(network: NoNetwork, name: str) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        check_model(name)


def test_the_form_of_a_hub_name(network: NoNetwork) -> None:
    assert is_hub_name("google-bert/bert-base-uncased") and is_hub_name("bert") and is_hub_name("runs/bert")
    assert not is_hub_name("runs/boks"), "runs/books is here"
    assert not is_hub_name("a/b/c") and not is_hub_name("") and not is_hub_name("/") and not is_hub_name("./bert")


def test_a_folder_of_the_owners_name_does_not_hide_a_model_of_the_hub(network: NoNetwork, tmp_path: Path) -> None:
    in_cache(tmp_path / "cache", "org/bert")
    Path("org/berts").mkdir(parents=True)
    assert check_model("org/bert") == "org/bert"
    assert is_from_hub("org/bert") and not is_from_hub("org/other") and is_from_hub("others/bert")
    assert not is_from_hub("org/a b"), "no name of the hub at all"
    Path("org/bert").mkdir()
    with pytest.raises(ModelError, match=r"org/bert: found no config\.json, expected the folder of a model"):
        check_model("org/bert")


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("name", ["a" * 300, f"org/{'a' * 300}", f"{'a' * 300}/bert", f"/{'a' * 300}"])
def test_a_name_that_is_too_long_for_a_folder(network: NoNetwork, load: Callable[[str], Any], name: str) -> None:
    with pytest.raises(ModelError, match=r"^/?(org/)?a{50,}… \(30[0-9] characters\): no such folder"):
        load(name)
    assert network.asked == []
    assert not is_from_hub(f"/{name}")
