"""Free memory respects every limit above the process, and measuring the peak leaves no trace."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import torch

from bertsmith.runtime.peak import free_memory, matmul_peak

GB = 10**9


@pytest.fixture(autouse=True)
def machine_of_100_gb(monkeypatch: pytest.MonkeyPatch) -> None:
    available = psutil.virtual_memory()._replace(available=100 * GB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: available)


def free(folder: Path) -> int:
    return free_memory("cpu", cgroups=folder, process=folder / "process")


def second_version(folder: Path, *, limit: str, usage: int, cache: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{usage}\n")
    (folder / "memory.stat").write_text(f"anon 5\nfile 7\ninactive_file {cache}\n")


def first_version(folder: Path, *, limit: int, usage: int, cache: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
    (folder / "memory.usage_in_bytes").write_text(f"{usage}\n")
    (folder / "memory.stat").write_text(f"inactive_file 1\ntotal_inactive_file {cache}\n")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_peak_is_a_rate_and_no_random_state_is_changed(precision: str) -> None:
    before = torch.get_rng_state()
    assert matmul_peak(precision, "cpu", seconds=0.0) > 1e6
    assert torch.equal(torch.get_rng_state(), before)


def test_without_cgroups_it_is_what_the_machine_has_available(tmp_path: Path) -> None:
    assert free(tmp_path) == 100 * GB


def test_a_limit_of_version_2_counts_file_cache_as_free(tmp_path: Path) -> None:
    (tmp_path / "process").write_text("0::/job\n")
    second_version(tmp_path / "job", limit=str(8 * GB), usage=3 * GB, cache=GB)
    assert free(tmp_path) == 6 * GB


def test_the_narrowest_group_counts(tmp_path: Path) -> None:
    (tmp_path / "process").write_text("0::/slice/job\n")
    second_version(tmp_path / "slice", limit=str(8 * GB), usage=5 * GB, cache=0)
    second_version(tmp_path / "slice" / "job", limit=str(6 * GB), usage=2 * GB, cache=0)
    assert free(tmp_path) == 3 * GB


@pytest.mark.parametrize("path", ["/", "/of/the/host", "/../../job"])
def test_in_a_container_the_root_is_the_group(tmp_path: Path, path: str) -> None:
    (tmp_path / "process").write_text(f"0::{path}\n")
    second_version(tmp_path, limit=str(4 * GB), usage=GB, cache=0)
    assert free(tmp_path) == 3 * GB


def test_no_limit_is_no_limit(tmp_path: Path) -> None:
    (tmp_path / "process").write_text("0::/job\n")
    second_version(tmp_path / "job", limit="max", usage=3 * GB, cache=0)
    assert free(tmp_path) == 100 * GB


def test_a_group_beyond_its_limit_has_nothing_free(tmp_path: Path) -> None:
    (tmp_path / "process").write_text("0::/job\n")
    second_version(tmp_path / "job", limit=str(GB), usage=2 * GB, cache=0)
    assert free(tmp_path) == 0


@pytest.mark.parametrize(("limit", "expected"), [(8 * GB, 6 * GB), (9223372036854771712, 100 * GB)])
def test_a_limit_of_version_1(tmp_path: Path, limit: int, expected: int) -> None:
    (tmp_path / "process").write_text("9:name=systemd:/\n5:cpu,cpuacct:/\n4:memory:/job\n0::/\n")
    first_version(tmp_path / "memory" / "job", limit=limit, usage=3 * GB, cache=GB)
    assert free(tmp_path) == expected
