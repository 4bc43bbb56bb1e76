"""What a run says on the terminal when it ends: a short table, and where everything is."""

from pathlib import Path

from flows.scores import Scores

COMMANDS = """\
pages     make ui          (Prefect's runs and MLflow's curves, on this machine only; make down stops the server)
compare   dvc metrics diff, dvc params diff, dvc plots diff"""


def table(scores: Scores) -> list[str]:
    """Checkpoint, accuracy on the held-out stand-in problems with its interval, mean tokens, of the evaluations of this very run;
    then what it has no numbers of."""
    lines = [f"{'checkpoint':<12} {'accuracy':>8} {'95% interval':>16} {'tokens':>8} {'n':>6}"]
    for name, suites in scores.checkpoints.items():
        if overall := suites.get("overall"):
            low, high = overall["ci95"]
            accuracy, tokens, count = overall["accuracy"], overall["mean_tokens"], overall["n"]
            lines.append(f"{name:<12} {accuracy:>8.3f} {f'{low:.3f} to {high:.3f}':>16} {tokens:>8.1f} {count:>6}")
    head = ["", "on held-out problems of the run's own sources, which stand in for benchmarks:", *lines] if len(lines) > 1 else []
    said = ["", scores.said()] if scores.missing else []
    return [*head, *said, ""] if head or said else []


def places(root: Path, scores: Scores) -> list[str]:
    """Paths of report and figures where they are of this run, and the commands of the pages."""
    folder = root / "results/report"
    if not scores.report:
        old = ["report    none of this run; results/report is of an earlier one"] if folder.is_dir() else []
        return [*old, *COMMANDS.splitlines()]
    pages = [f"report    {path.relative_to(root)}" for path in sorted(folder.glob("*.html"))]
    figures = sorted(path for kind in ("svg", "png") for path in folder.rglob(f"*.{kind}"))
    shown = sorted({str(path.parent.relative_to(root)) for path in figures})
    return [*pages, *(f"figures   {name}/" for name in shown), *COMMANDS.splitlines()]
