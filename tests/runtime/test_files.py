"""Files are whole or not there, and a disk that refuses is said with its place."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from bertsmith.errors import OutputError, ResourceError
from bertsmith.runtime.files import atomic_write, disk_errors, folder_lock, free_bytes, write_bytes


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "data.bin"
    with atomic_write(path) as aside:
        aside.write_bytes(b"some of it")
        assert not path.exists()
        assert aside.parent == path.parent  # on the same disk, or it could not be renamed at once
    assert path.read_bytes() == b"some of it"
    with atomic_write(path) as aside:
        aside.write_bytes(b"another")
        assert path.read_bytes() == b"some of it"
    assert path.read_bytes() == b"another"
    assert names(path.parent) == ["data.bin"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3), MemoryError()])
@pytest.mark.parametrize("before", [None, b"old"])
def test_a_write_that_fails_leaves_nothing(tmp_path: Path, error: BaseException, before: bytes | None) -> None:
    path = tmp_path / "data.bin"
    if before is not None:
        path.write_bytes(before)
    with pytest.raises(type(error)), atomic_write(path) as aside:
        aside.write_bytes(b"half")
        raise error
    assert (path.read_bytes() if path.exists() else None) == before
    assert names(tmp_path) == ([] if before is None else ["data.bin"])


def test_what_is_no_file_is_written_into(tmp_path: Path) -> None:
    """A device or a pipe must not be replaced by a file: as root that would take /dev/null away."""
    pipe, read = tmp_path / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_bytes(pipe, b"text")
    reader.join(timeout=30)
    assert read == [b"text"]
    assert pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]


def test_a_folder_is_no_file_to_write(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"is a folder, expected the name of a file"):
        write_bytes(tmp_path, b"text")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "data.bin"
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(ResourceError) as caught, atomic_write(path) as aside:
        aside.write_bytes(b"half")
        raise full
    assert str(caught.value).startswith(f"{path}: cannot be written: No space left on device (")
    assert " GB free on that disk). Free some space or choose another --out." in str(caught.value)
    assert caught.value.__cause__ is full
    assert names(tmp_path) == []


@pytest.mark.parametrize("refused", ["fsync", "replace"])
def test_a_disk_that_refuses_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str) -> None:
    path = tmp_path / "data.bin"
    path.write_bytes(b"old")

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(*((os, "fsync") if refused == "fsync" else (Path, "replace")), refuse)
    with pytest.raises(ResourceError, match="cannot be written: Input/output error"), atomic_write(path) as aside:
        aside.write_bytes(b"new")
    with pytest.raises(ResourceError, match="cannot be written: Input/output error"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["data.bin"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(ResourceError, match=r"file/data.bin: cannot be written: "),
        atomic_write(tmp_path / "file" / "data.bin"),
    ):
        pytest.fail("there is no folder to write in")


def test_nothing_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="cannot be written: No such file"), atomic_write(tmp_path / "data.bin"):
        pass
    assert names(tmp_path) == []


def test_a_process_that_is_killed_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "data.bin"
    path.write_bytes(b"old")
    program = (
        "import os, signal, sys; from pathlib import Path; from bertsmith.runtime.files import atomic_write\n"
        "with atomic_write(Path(sys.argv[1])) as aside:\n"
        "    aside.write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    assert path.read_bytes() == b"old"
    assert all(name == path.name or (name[0] == "." and name.endswith(".partial")) for name in names(tmp_path))
    with atomic_write(path) as aside:
        aside.write_bytes(b"new")
    assert path.read_bytes() == b"new"


def test_other_errors_are_no_errors_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(UnicodeError), disk_errors(tmp_path):
        "\ud800".encode()


@pytest.mark.parametrize(
    "place",
    [
        lambda folder: folder,
        lambda folder: folder / "not" / "yet" / "there",
        lambda folder: folder / "file",
        lambda folder: folder / "file" / "below a file",
    ],
)
def test_free_bytes_of_a_path_that_may_not_exist(tmp_path: Path, place: Callable[[Path], Path]) -> None:
    (tmp_path / "file").write_bytes(b"")
    path = place(tmp_path)
    there = len(names(tmp_path))
    assert free_bytes(path) == pytest.approx(shutil.disk_usage(tmp_path).free, abs=1 << 30)
    assert len(names(tmp_path)) == there


def test_free_bytes_of_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.chdir(tmp_path)

    def usage(path: Path) -> SimpleNamespace:
        asked.append(path)
        return SimpleNamespace(free=7)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    assert free_bytes(Path("runs/new")) == 7
    assert asked == [tmp_path]


def test_free_space_that_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(shutil, "disk_usage", refuse)
    with pytest.raises(ResourceError, match=r"\(free space unknown\)"), disk_errors(tmp_path / "x"):
        raise OSError(errno.EROFS, "Read-only file system")


# One writer


def test_a_second_writer_is_refused_while_the_first_works(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from bertsmith.errors import OutputError\n"
        "from bertsmith.runtime.files import folder_lock\n"
        "try:\n    with folder_lock(Path(sys.argv[1]), 'prepare'): print('works')\n"
        "except OutputError as error: print(error)\n"
    )

    def other() -> str:
        return subprocess.run(
            [sys.executable, "-c", script, tmp_path / "out"], capture_output=True, text=True, check=True
        ).stdout

    with folder_lock(tmp_path / "out", "prepare"):
        assert "another prepare is working there" in other()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".out.lock").touch()  # of a process that was killed
    assert other() == "works\n"
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from bertsmith.runtime.files import folder_lock\n"
        "with folder_lock(Path(sys.argv[1]), 'prepare'):\n    print('works', flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, tmp_path / "out"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"works\n"
        with (
            pytest.raises(OutputError, match="another pretrain is working there"),
            folder_lock(tmp_path / "out", "pretrain"),
        ):
            pass
        process.kill()
    assert (tmp_path / ".out.lock").exists()
    with folder_lock(tmp_path / "out", "pretrain"):
        pass
    assert list(tmp_path.iterdir()) == []
