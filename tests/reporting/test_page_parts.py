"""Parts of the page: escaping, samples drawn by lot, protocol."""

import re
import subprocess
from pathlib import Path

import pytest
from synthetic_run import evaluation, png

from stages.data.files import DataError
from stages.reporting.data_section import data_section
from stages.reporting.evaluations import Evaluation
from stages.reporting.inputs import Funnel, Generation
from stages.reporting.markup import Html, join, tag
from stages.reporting.protocol import commit, data_hashes, shared_settings
from stages.reporting.samples import SHOWN, pick, samples_html


def test_text_is_escaped_and_html_is_not() -> None:
    assert tag("p", "<b>", tag("i", "&")) == "<p>&lt;b&gt;<i>&amp;</i></p>"
    assert tag("img", alt='a "quoted" <x>') == '<img alt="a &quot;quoted&quot; &lt;x&gt;">'
    assert tag("td", "x", class_=None, aria_label="y") == '<td aria-label="y">x</td>'
    assert join("<", Html("<br>")) + "<" == "&lt;<br>&lt;"


def generation(suite: str, problem: str, **change: object) -> Generation:
    row = {
        "suite": suite, "id": problem, "question": "2+2?", "image": None, "gold": "4", "text": "4", "tokens": 1,
        "outcome": "right", "finish": "stop",
    }  # fmt: skip
    return Generation(**(row | change))  # type: ignore[arg-type]


def test_samples_are_drawn_by_lot_among_common_problems() -> None:
    rows = [generation("a", f"a{number}") for number in range(20)] + [generation("b", "b0")]
    everyone = dict.fromkeys(SHOWN, rows)
    picked = pick(everyone, seed=0)
    assert [suite for suite, _ in picked] == ["a", "a", "b"]
    assert picked == pick(dict.fromkeys(SHOWN, rows[::-1]), seed=0)
    assert {tuple(pick(everyone, seed=seed)) for seed in range(8)} != {tuple(picked)}
    without = {**everyone, "long_rl": [row for row in rows if row.id != picked[0][1]]}
    assert picked[0] not in pick(without, seed=0)


def test_nothing_in_common_is_said() -> None:
    rows = {name: [generation("a", name)] for name in SHOWN}
    assert "No problem was answered by all" in samples_html(rows, 0)


def test_pictures_are_embedded_or_named(tmp_path: Path) -> None:
    there, gone, odd = tmp_path / "there.png", tmp_path / "gone.png", tmp_path / "odd.png"
    there.write_bytes(png(28, 28, 200, 100, 50))
    odd.write_bytes(b"GIF89a")
    for path, expected in (
        (there, "data:image/png;base64,"),
        (gone, "is not there any more"),
        (odd, "neither PNG nor JPEG"),
    ):
        rows = {name: [generation("chart", "c", image=str(path))] for name in SHOWN}
        assert expected in samples_html(rows, 0)


def test_a_large_picture_is_scaled_down(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "large.png"
    Image.effect_noise((1200, 900), 90).save(path)
    assert path.stat().st_size > 400_000
    html = samples_html({name: [generation("chart", "c", image=str(path))] for name in SHOWN}, 0)
    assert "data:image/png;base64," in html
    assert len(html) < 1.4 * path.stat().st_size


def test_model_text_is_escaped_and_cut() -> None:
    evil = "</pre><script>alert(1)</script>" + "x" * 5000
    html = samples_html({name: [generation("a", "<id>", text=evil, question="<q>", gold="<g>")] for name in SHOWN}, 0)
    assert "<script" not in html
    assert "&lt;/pre&gt;&lt;script&gt;" in html
    assert "the first 4,000 characters" in html
    assert not {"<id>", "<q>", "<g>"} & set(html.split())


def test_settings_that_differ_name_their_checkpoints() -> None:
    runs = {name: Evaluation.model_validate(evaluation(name)) for name in ("base", "dpo")}
    runs["dpo"].settings["temperature"] = 0.6
    runs["dpo"].settings["device"] = {"name": "cpu"}
    found = shared_settings(runs)
    assert found["top_p"] == "1.0"
    assert found["temperature"] == "1.0 (base); 0.6 (dpo)"
    assert found["device.name"] == "not given (base); cpu (dpo)"


def test_hashes_of_dvc_lock(tmp_path: Path) -> None:
    lock = tmp_path / "dvc.lock"
    assert data_hashes(lock) == {}
    lock.write_text("stages:\n  collect:\n    outs:\n    - {path: b, md5: 11.dir}\n    - {path: a, md5: '22'}\n", encoding="utf-8")
    assert data_hashes(lock) == {"a": "22", "b": "11.dir"}
    lock.write_text("nothing", encoding="utf-8")
    with pytest.raises(DataError, match=r"dvc\.lock: not a lock file of DVC"):
        data_hashes(lock)


def test_commit_says_when_the_tree_differs(tmp_path: Path) -> None:
    assert commit(tmp_path) == "not a git checkout"

    def git(*words: str) -> str:
        who = ["-c", "user.name=t", "-c", "user.email=t@t"]
        return subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    (tmp_path / "a").write_text("1", encoding="utf-8")
    git("add", "a")
    git("commit", "-qm", "x")
    head = git("rev-parse", "HEAD")
    assert commit(tmp_path) == head
    (tmp_path / "a").write_text("2", encoding="utf-8")
    assert commit(tmp_path) == f"{head}, with uncommitted changes"


def test_pass_rates_stand_beside_the_accuracy_of_the_same_model() -> None:
    """0.3456 of 412 prompts against 14 of 40 held-out problems: 34.6% - 35.0% = -0.4 points."""
    difficulty = {"arithmetic": {"problems": 412, "pass_rate": 0.3456}, "mine": {"problems": 3, "pass_rate": 0.0}}
    funnel = Funnel.model_validate({"steps": [], "difficulty": difficulty})
    content = evaluation("short_sft")
    content["suites"]["arithmetic"] |= {"accuracy": 0.35, "n": 40}
    measured = Evaluation.model_validate(content)
    html = "".join(data_section({"curation": funnel}, {}, {"short_sft": measured}))
    cells = re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", html)
    at = cells.index("arithmetic")
    assert cells[at : at + 6] == ["arithmetic", "412", "34.6%", "35.0%", "40", "-0.4"]
    at = cells.index("mine")
    assert cells[at : at + 4] == ["mine", "3", "0.0%", "not evaluated"]
    assert "Calibration" not in "".join(data_section({"curation": Funnel(steps=[])}, {}, {}))
