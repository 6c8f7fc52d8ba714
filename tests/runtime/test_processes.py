"""What processes agree on; one alone agrees with itself."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from pathlib import Path

import pytest

from bertsmith.runtime import processes
from support.process import run_process


def test_alone_everything_is_ones_own() -> None:
    assert (processes.world_size(), processes.local_world_size(), processes.rank()) == (1, 1, 0)
    assert processes.is_main()
    processes.join()
    processes.barrier()
    thing = {"a": [1]}
    assert processes.from_main(thing) is thing
    assert processes.from_all(thing) == [thing]
    assert processes.sums([1.5, 2]) == [1.5, 2]
    assert processes.largest((3, -1.0)) == [3, -1.0]


def test_alone_torch_is_not_needed() -> None:
    code = """
        import sys
        from bertsmith.runtime import processes
        processes.join(); processes.barrier(); processes.sums([1.0]); processes.from_all(1); processes.from_main(1)
        assert "torch" not in sys.modules
    """
    done = run_process([sys.executable, "-c", textwrap.dedent(code)])
    assert done.code == 0, done.shown


def test_the_environment_says_which_one_this_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("WORLD_SIZE", "8"), ("LOCAL_WORLD_SIZE", "4"), ("RANK", "5")):
        monkeypatch.setenv(name, value)
    assert (processes.world_size(), processes.local_world_size(), processes.rank()) == (8, 4, 5)
    assert not processes.is_main()


@pytest.mark.slow
def test_two_processes_agree(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import json
            from pathlib import Path
            from bertsmith.runtime import processes

            processes.join()
            processes.join()
            rank = processes.rank()
            found = {{
                "main": processes.is_main(),
                "from_main": processes.from_main({{"text": "of the first"}} if rank == 0 else None),
                "from_all": processes.from_all([rank, "x" * (1 + 1000 * rank)]),
                "sums": processes.sums([2.0**53, 1 + rank, 0.1]),
                "largest": processes.largest([rank, -rank, -3.5]),
            }}
            processes.barrier()
            Path({str(tmp_path)!r}, f"{{rank}}.json").write_text(json.dumps(found))
            """
        ),
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = run_process(command, env=environment, timeout=300)
    assert done.code == 0, done.shown
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text(encoding="utf-8")) for rank in (0, 1))
    assert (first.pop("main"), second.pop("main")) == (True, False)
    assert (
        first
        == second
        == {
            "from_main": {"text": "of the first"},
            "from_all": [[0, "x"], [1, "x" * 1001]],
            "sums": [2.0**54, 3.0, 0.2],
            "largest": [1.0, 0.0, -3.5],
        }
    )
