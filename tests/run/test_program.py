"""What a user can do wrong ends in one clear line and exit code 2, never in a traceback."""

import contextlib
import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from imports import PROJECT
from safetensors import SafetensorError
from tiny import Tiny, problem, write_params

from stages import dpo, merge, rl, sample, sft, warm_up
from stages.data.files import DataError, write_records
from stages.run.params import ParamsError
from stages.run.program import run
from stages.run.ranks import during
from stages.run.spool import Spool

Told = Callable[..., str]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    """Run a stage in an empty project; the error line that it prints."""
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path)

    def call(main: Callable[[], None], *arguments: object, lines: int = 1) -> str:
        monkeypatch.setattr(sys, "argv", ["stage", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            run(main)
        assert end.value.code == 2
        printed = capsys.readouterr().err
        assert printed.startswith("error: ")
        assert len(printed.splitlines()) == lines
        return printed

    return call


SFT = ("long", "--demonstrations", "d.jsonl", "--out", "out", "--curves", "c.csv", "--left-out", "l.json")
RL = ("long", "--prompt-set", "p.jsonl", "--validation", "v.jsonl", "--out", "out", "--curves", "c.csv")


def test_a_missing_checkpoint(told: Told, tiny: Tiny) -> None:
    write_records(Path("d.jsonl"), tiny.demonstrations()[:1])
    line = told(sft.main, "--init", "artifacts/models/short_sft", *SFT)
    assert "artifacts/models/short_sft: no such checkpoint folder; run the stage that makes it" in line
    assert not Path("out").exists()


def test_a_missing_file(told: Told, tiny: Tiny) -> None:
    assert "d.jsonl: no such file; run the stage that makes it" in told(sft.main, "--init", tiny.folder, *SFT)
    assert "p.jsonl: no such file" in told(rl.main, "--init", tiny.folder, *RL)
    assert "s.jsonl: no such file" in told(
        dpo.main, "--init", tiny.folder, "--samples", "s.jsonl", "--out", "out", "--curves", "c.csv"
    )
    assert "no such file" in told(sample.main, "long", "--model", tiny.folder, "--prompt-set", "p.jsonl", "--out", "out")
    assert "no model.safetensors" in told(merge.main, "--long", "a", "--short", "b", "--out", "out")


def test_a_broken_row_has_its_line(told: Told, tiny: Tiny) -> None:
    write_records(Path("d.jsonl"), tiny.demonstrations()[:2])
    with Path("d.jsonl").open("a") as file:
        file.write('{"id": "x",\n')
    assert "d.jsonl:3: not JSON" in told(sft.main, "--init", tiny.folder, *SFT)


def test_no_demonstration_fits(told: Told, tiny: Tiny) -> None:
    write_params(Path(), model__context=64)
    long = [row.model_copy(update={"question": "Why? " * 200, "image": None}) for row in tiny.demonstrations()[:2]]
    write_records(Path("d.jsonl"), long)
    assert "no demonstration fits model.context = 64; nothing to train on" in told(sft.main, "--init", tiny.folder, *SFT)
    listed = json.loads(Path("l.json").read_text())
    assert (listed["demonstrations"], [row["id"] for row in listed["left_out"]]) == (2, [row.id for row in long])
    assert "exceed model.context = 64" in listed["left_out"][0]["reason"]


def test_a_prompt_over_the_context(told: Told, tiny: Tiny) -> None:
    write_params(Path(), model__context=64, sample__prompts=8)
    write_records(Path("p.jsonl"), [tiny.curated()[0].model_copy(update={"question": "Why? " * 200})])
    line = told(sample.main, "long", "--model", tiny.folder, "--prompt-set", "p.jsonl", "--out", "out")
    assert "tokens leaves less than 1 of model.context = 64 for the response: 'Why? Why?" in line
    assert "raise model.context, shorten the prompt or use smaller pictures" in line


def test_a_picture_that_is_gone(told: Told, tiny: Tiny) -> None:
    write_records(Path("p.jsonl"), [tiny.curated()[9].model_copy(update={"image": "images/gone.png"})])
    line = told(sample.main, "long", "--model", tiny.folder, "--prompt-set", "p.jsonl", "--out", "out")
    assert "images/gone.png: cannot be read as a picture" in line
    Path("broken.png").write_bytes(b"\x89PNG\r\n\x1a\n half")
    write_records(Path("p.jsonl"), [tiny.curated()[9].model_copy(update={"image": "broken.png"})])
    assert "broken.png: cannot be read as a picture" in told(
        sample.main, "long", "--model", tiny.folder, "--prompt-set", "p.jsonl", "--out", "out"
    )


def test_too_few_problems(told: Told, tiny: Tiny) -> None:
    write_params(Path(), rl__long__prompts=32)
    write_records(Path("p.jsonl"), tiny.curated()[:3])
    write_records(Path("v.jsonl"), tiny.problems[:1])
    line = told(rl.main, "--init", tiny.folder, *RL)
    assert "p.jsonl: 3 problems, prompts = 32 of this phase of rl on 1 processes" in line


def test_wrong_parameters(told: Told, tiny: Tiny) -> None:
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("mini_batch:", "minibatch:", 1))
    lines = told(sft.main, "--init", tiny.folder, *SFT, lines=2)
    assert "error: params.yaml: parameter 'rl.long.mini_batch' is missing" in lines
    assert "unknown parameter 'rl.long.minibatch'; did you mean 'mini_batch'?" in lines
    Path("params.yaml").unlink()
    assert "params.yaml: no such file" in told(sft.main, "--init", tiny.folder, *SFT)


@pytest.mark.parametrize("error", [DataError("a: b"), ParamsError("a: b"), FileNotFoundError(2, "No such file", "a")])
def test_errors_that_a_user_can_act_on(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as end:
        run(main)
    assert end.value.code == 2
    assert capsys.readouterr().err in ("error: a: b\n", "error: a: No such file\n")


@pytest.mark.parametrize(
    "error, where",
    [
        (OSError(errno.ENOSPC, "No space left on device"), ""),  # of a file that was open already
        (OSError(errno.ENOSPC, "No space left on device", "a/b.png"), "a/b.png: "),
        (SafetensorError("I/O error: No space left on device (os error 28)"), ""),
    ],
)
def test_a_full_disk_is_one_line(error: Exception, where: str, capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as end:
        run(main)
    assert end.value.code == 2
    assert capsys.readouterr().err == (
        f"error: {where}no space left on the disk; free some and run the same command: it goes on from the last saved state\n"
    )


def test_a_disk_that_fills_up_while_a_stage_writes(told: Told) -> None:
    """/dev/full takes no byte, as a full disk: a spool that was opened before cannot be appended to."""
    assert "no space left on the disk" in told(lambda: Spool(Path("/dev/full")).log(0, {"loss": 1.0}))


@pytest.mark.parametrize("error", [KeyError("a bug"), SafetensorError("header too large"), OSError(5, "I/O error")])
def test_other_errors_keep_their_traceback(error: Exception) -> None:
    def main() -> None:
        raise error

    with pytest.raises(type(error)):
        run(main)


def test_problems_for_a_judge_without_one(told: Told, tiny: Tiny) -> None:
    """Before any model is loaded. collect leaves such problems out; a set of the user's own may have them."""
    free = [
        made.model_copy(update={"verifier": "judge"}) if place < 40 else made for place, made in enumerate(map(problem, range(42)))
    ]
    write_records(Path("set/problems.jsonl"), free)
    write_records(Path("v.jsonl"), tiny.problems[:1])
    found = "40 of 4[23] problems have the verifier 'judge', and no judge is configured: say in params.yaml"
    assert re.search(
        found, told(warm_up.main, "--prompt-set", "set", "--model", "none", "--out", "out", "--report", "report", "--docs", "docs")
    )
    assert re.search(found, told(sample.main, "long", "--model", "none", "--prompt-set", "set/problems.jsonl", "--out", "out"))
    files = ("--prompt-set", "set/problems.jsonl", "--validation", "v.jsonl")
    assert re.search(found, told(rl.main, "long", "--init", "none", *files, "--out", "out", "--curves", "c.csv"))


def test_one_of_several_ranks_names_itself(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    left: list[int] = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr("os._exit", left.append)

    def main() -> None:
        with during("rl iteration 3"), during("saving the state of step 4"):
            raise DataError("the disk is full")

    with contextlib.suppress(SystemExit):
        run(main)
    assert left == [2]
    assert capsys.readouterr().err == "error: rank 1 of 2, rl iteration 3, saving the state of step 4: the disk is full\n"


def test_a_rank_that_ends_well_leaves_its_group_before_python_ends(tmp_path: Path) -> None:
    """Else threads of gloo abort one program in three: seen 14 times of 40 with two ranks on busy cores, 0 of 40 since."""
    program = """
import sys
import torch.distributed as dist
from stages.run.program import run

def main():
    dist.init_process_group("gloo", init_method=f"file://{sys.argv[1]}", rank=0, world_size=1)

run(main)
import atexit
atexit._run_exitfuncs()
print("left" if not dist.is_initialized() else "still there")
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "meeting")], capture_output=True, text=True, check=False, cwd=PROJECT
    )
    assert (done.returncode, done.stdout) == (0, "left\n"), done.stderr


@pytest.mark.parametrize("words", [("asking",), ("flows.rank", "asking")], ids=["by hand", "by a launcher"])
def test_no_stage_reads_what_is_typed(words: tuple[str, ...], tmp_path: Path) -> None:
    """A library that asks (may this code run? [y/N]) reads the end of the input, started by hand as by the launchers of ranks."""
    (tmp_path / "asking.py").write_text(
        "import sys\nfrom stages.run.program import run\n"
        "def main():\n    print(repr(sys.stdin.read()), end='')\n"
        "if __name__ == '__main__':\n    run(main)\n"
    )
    command = [sys.executable, "-m", *words]
    done = subprocess.run(
        command, cwd=tmp_path, input="y\n" * 9, env={**os.environ, "PYTHONPATH": f"{PROJECT}{os.pathsep}{tmp_path}"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "''"), done.stderr


def test_an_error_is_told_without_control_characters(told: Told) -> None:
    def main() -> None:
        raise DataError("rows.csv: no column 'a\x1b[31m\x07\u202eb'")

    assert told(main) == "error: rows.csv: no column 'a\ufffd[31m\ufffd\ufffdb'\n"
