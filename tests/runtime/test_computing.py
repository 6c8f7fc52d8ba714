"""The contexts in which a model computes."""

from __future__ import annotations

import pytest
import torch

from bertsmith.runtime.computing import deterministic


def gpu(monkeypatch: pytest.MonkeyPatch, *, deterministic_products: bool = True) -> None:
    """Make torch say that there is a GPU whose products are deterministic or not."""
    ones = torch.ones

    class Product(torch.Tensor):
        def __matmul__(self, other: object) -> None:
            if not deterministic_products:
                raise RuntimeError("CUBLAS_WORKSPACE_CONFIG is not set")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", lambda *shape, device: ones(*shape).as_subclass(Product))


@pytest.mark.parametrize("present", [True, False])
def test_deterministic_kernels_are_asked_for_where_a_gpu_is_and_no_longer_than_wanted(
    monkeypatch: pytest.MonkeyPatch, present: bool
) -> None:
    gpu(monkeypatch)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: present)
    assert not torch.are_deterministic_algorithms_enabled()
    with pytest.raises(ValueError, match="an error"), deterministic(known=True):
        assert torch.are_deterministic_algorithms_enabled() is present
        raise ValueError("an error")
    assert not torch.are_deterministic_algorithms_enabled()


def test_what_the_caller_asked_for_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu(monkeypatch)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with deterministic(known=True):
            assert not torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


def test_products_that_were_begun_otherwise_are_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gpu(monkeypatch, deterministic_products=False)
    with caplog.at_level("WARNING"), deterministic(known=True):
        assert not torch.are_deterministic_algorithms_enabled()
    assert "CUBLAS_WORKSPACE_CONFIG=:4096:8" in caplog.text


def test_a_model_of_unknown_operations_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with deterministic(known=False):
        assert torch.is_deterministic_algorithms_warn_only_enabled()
