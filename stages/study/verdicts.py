"""From all runs of the study to results/study: findings, figures and the page."""

import argparse
from pathlib import Path

import yaml

from stages.data.files import write_bytes, write_json, write_text
from stages.reporting import drawing, protocol
from stages.reporting.evaluations import read_json
from stages.run.program import run
from stages.study.claims import CLAIMS
from stages.study.figures import figures
from stages.study.findings import findings
from stages.study.page import Study, html, markdown, summary
from stages.study.runs import read_runs
from stages.study.settings import Settings, read_settings
from stages.study.workspace import TIMINGS


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m stages.study.verdicts", description=__doc__)
    arguments.add_argument("--runs", type=Path, required=True, help="artifacts/study")
    arguments.add_argument("--settings", type=Path, required=True, help="study/params.yaml")
    arguments.add_argument("--out", type=Path, required=True)
    options = arguments.parse_args()
    settings = read_settings(options.settings)
    runs = read_runs(options.runs, settings)
    found = findings(runs)
    drawn = drawing.draw(figures(runs, found))
    study = Study(found, runs, drawn, facts(settings, options.settings.parent))
    text, page = markdown(study), html(study)
    write_json(options.out / "summary.json", summary(study))
    for figure in drawn:
        write_text(options.out / f"{figure.figure.name}.svg", figure.svg)
        write_bytes(options.out / f"{figure.figure.name}.png", figure.png)
    write_text(options.out / "study.md", text)
    write_text(options.out / "index.html", page)
    for one in found:
        print(f"{one.verdict}: {one.says} ({one.where})")
    print(f"study: {options.out / 'index.html'}")


def facts(settings: Settings, folder: Path) -> dict[str, dict[str, str]]:
    """How the runs came about: commands, seeds, what each variant changes, machine, commit, seconds, hashes of the runs."""
    kept = {path.stem: read_json(path, "make study") for path in sorted(TIMINGS.glob("*.json"))}
    seconds = {name: sum(steps.values()) for name, steps in kept.items()}
    ran = settings.variants.keys()
    left_out = [claim.says for claim in CLAIMS if not {claim.first.variant, claim.second.variant} <= ran]
    lacking = {"claims left out, their variants are not in the settings": "; ".join(left_out)} if left_out else {}
    total = {"all runs": f"{sum(seconds.values()) / 60:.0f} minutes"} if seconds else {}
    tables = {
        "Run": {
            "command": command(settings, folder),
            "seeds": ", ".join(map(str, settings.seeds)),
            "changes against params.yaml in all runs": _shown(settings.changes),
            **lacking,
            "commit": protocol.commit(Path()),
            **protocol.machine(),
        },
        "What each variant changes": {name: _shown(changes) for name, changes in settings.variants.items()},
        "Seconds by run (last time each was run)": {**total, **{name: f"{value:.0f}" for name, value in seconds.items()}},
        "Content hashes of the runs (study/dvc.lock)": protocol.data_hashes(Path("study/dvc.lock")),
    }
    return {caption: table for caption, table in tables.items() if table}


def command(settings: Settings, folder: Path) -> str:
    """What runs a study with these settings: `make study`, by the name of the file in `folder` that holds the same ones."""
    others = sorted(path for path in folder.glob("*.yaml") if path.stem not in ("dvc", "params"))
    return next((f"make study STUDY={path.stem}" for path in others if read_settings(path) == settings), "make study")


def _shown(changes: dict[str, object]) -> str:
    return yaml.safe_dump(changes, default_flow_style=True, width=10_000, sort_keys=False).strip().strip("{}") or "nothing"


if __name__ == "__main__":
    run(main)
