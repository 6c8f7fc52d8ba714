"""The effect of each option of `report`."""

from __future__ import annotations

import json
import shutil

from bertsmith.config.report import ReportOptions
from support.bench import Bench, effect


@effect(ReportOptions, "folder")
def test_report_folder(bench: Bench) -> None:
    """It is written from what the folder holds now."""
    from bertsmith.verbs.report import report

    for source, file in ((bench.store, "manifest.json"), (bench.base, "run.json")):
        folder = bench.fresh()
        shutil.copytree(source, folder)
        (folder / "report.html").unlink()
        content = json.loads((folder / file).read_text())
        content["versions"]["torch"] = "9.8.7-of-this-test"
        (folder / file).write_text(json.dumps(content))
        assert report(folder).report == folder / "report.html"
        html = (folder / "report.html").read_text(encoding="utf-8")
        assert folder.name in html
        assert "9.8.7-of-this-test" in html


@effect(ReportOptions, "watch")
def test_report_watch(bench: Bench) -> None:
    """It returns when the run has ended, with the figures of that end."""
    import bertsmith.verbs.report as module

    run = bench.fresh()
    shutil.copytree(bench.base, run)
    record = bench.record(run)

    def save(status: str) -> None:
        (run / "run.json").write_text(json.dumps({**record, "status": status}))

    save("running")
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            save("finished")

    bench.monkeypatch.setattr(module.time, "sleep", wait)
    module.report(run)
    assert waited == []
    module.report(run, watch=True)
    assert len(waited) == 3
    assert "running" not in (run / "report.html").read_text().split("</header>")[0]
