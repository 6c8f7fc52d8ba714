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
    processes.join_process_group()
    processes.barrier()
    thing = {"a": [1]}
    assert processes.broadcast_object(thing) is thing
    assert processes.gather_objects(thing) == [thing]
    assert processes.all_reduce_sum([1.5, 2]) == [1.5, 2]
    assert processes.all_reduce_max((3, -1.0)) == [3, -1.0]


def test_alone_torch_is_not_needed() -> None:
    code = """
        import sys
        from bertsmith.runtime import processes
        processes.join_process_group(); processes.barrier(); processes.all_reduce_sum([1.0])
        processes.gather_objects(1); processes.broadcast_object(1)
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

            processes.join_process_group()
            processes.join_process_group()
            rank = processes.rank()
            found = {{
                "main": processes.is_main(),
                "broadcast_object": processes.broadcast_object({{"text": "of the first"}} if rank == 0 else None),
                "gather_objects": processes.gather_objects([rank, "x" * (1 + 1000 * rank)]),
                "sums": processes.all_reduce_sum([2.0**53, 1 + rank, 0.1]),
                "largest": processes.all_reduce_max([rank, -rank, -3.5]),
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
            "broadcast_object": {"text": "of the first"},
            "gather_objects": [[0, "x"], [1, "x" * 1001]],
            "sums": [2.0**54, 3.0, 0.2],
            "largest": [1.0, 0.0, -3.5],
        }
    )
