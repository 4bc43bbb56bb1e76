"""The headline checks on made-up scores whose answers are plain to see."""

from typing import Any

import pytest
from synthetic_run import evaluation, score

from stages.reporting.checks import checks, intervals_apart
from stages.reporting.curves import Validation
from stages.reporting.evaluations import CHECKPOINTS, Evaluation
from stages.reporting.handed_on import HandedOn
from stages.reporting.headline import headlines


def run(**overall: dict[str, Any]) -> dict[str, Evaluation]:
    found = {}
    for name in CHECKPOINTS:
        value = evaluation(name)
        value["suites"]["overall"] |= overall.get(name, {})
        found[name] = Evaluation.model_validate(value)
    return found


def points(accuracy: list[float], tokens: list[float]) -> list[Validation]:
    return [Validation(place, a, t, 2 * t) for place, (a, t) in enumerate(zip(accuracy, tokens, strict=True))]


GROWING = points([0.2, 0.3, 0.25, 0.5], [10, 20, 30, 40])


@pytest.mark.parametrize(
    ("lower", "upper", "apart"),
    [((0.1, 0.2), (0.3, 0.4), True), ((0.1, 0.3), (0.2, 0.4), False), ((0.1, 0.2), (0.2, 0.3), False)],
)
def test_intervals_apart(lower: tuple[float, float], upper: tuple[float, float], apart: bool) -> None:
    assert intervals_apart(lower, upper) is apart


@pytest.mark.parametrize(
    ("sft", "rl", "holds"),
    [
        ((0.40, [0.36, 0.44]), (0.55, [0.51, 0.59]), True),
        ((0.40, [0.36, 0.44]), (0.49, [0.45, 0.53]), False),  # apart, but nine points
        ((0.40, [0.30, 0.50]), (0.52, [0.42, 0.62]), False),  # twelve points, but they overlap
    ],
)
def test_rl_must_gain_ten_points_with_intervals_apart(sft: Any, rl: Any, holds: bool) -> None:
    scores = {"long_sft": {"accuracy": sft[0], "ci95": sft[1]}, "long_rl": {"accuracy": rl[0], "ci95": rl[1]}}
    check = checks(run(**scores), GROWING, {})["rl_gain"]
    assert check["points"] == pytest.approx(100 * (rl[0] - sft[0]))
    assert check["holds"] is holds


def test_base_must_be_below_short_sft() -> None:
    assert checks(run(), GROWING, {})["base_below_short_sft"]["holds"] is True
    assert checks(run(base={"accuracy": 0.31}), GROWING, {})["base_below_short_sft"]["holds"] is False


def test_each_modality_must_gain_and_both_must_be_there() -> None:
    found = run()
    assert checks(found, GROWING, {})["modality_gains"] == {"points": {"text": 21.0, "image": 21.0}, "holds": True}
    found["long_rl"].suites["image"] = found["long_sft"].suites["image"]
    assert checks(found, GROWING, {})["modality_gains"]["holds"] is False
    del found["long_rl"].suites["image"]
    assert checks(found, GROWING, {})["modality_gains"] == {"points": {"text": 21.0}, "holds": None}


def test_length_must_grow_with_accuracy() -> None:
    check = checks(run(), GROWING, {})["length_grows_with_accuracy"]
    assert check["rank_correlation"] == pytest.approx(0.8)
    assert check["holds"] is True
    shrinking = points([0.2, 0.3, 0.4], [30, 20, 10])
    assert checks(run(), shrinking, {})["length_grows_with_accuracy"]["holds"] is False
    both_fall = points([0.4, 0.3, 0.2], [30, 20, 10])
    assert checks(run(), both_fall, {})["length_grows_with_accuracy"]["holds"] is False
    assert checks(run(), [], {})["length_grows_with_accuracy"]["holds"] is None


def test_shares_of_the_long_model() -> None:
    long = {"long_rl": {"accuracy": 0.6, "mean_tokens": 100.0}}
    short = {name: {"accuracy": 0.3, "mean_tokens": 70.0} for name in ("merged", "shortest", "dpo")}
    check = checks(run(**long, **short, short_rl={"accuracy": 0.54, "mean_tokens": 65.0}), GROWING, {})["long2short"]
    assert check["models"]["short_rl"] == {"token_share": 0.65, "accuracy_share": 0.9}
    assert (check["best"], check["holds"]) == ("short_rl", True)
    # an accurate model over the token target is not the best one, and the target is for each
    short["dpo"] = {"accuracy": 0.6, "mean_tokens": 71.0}
    check = checks(run(**long, **short, short_rl={"accuracy": 0.54, "mean_tokens": 65.0}), GROWING, {})["long2short"]
    assert (check["best"], check["holds"]) == ("short_rl", False)


def test_a_long_model_that_solves_nothing_decides_nothing() -> None:
    check = checks(run(long_rl=score(0.0, 50.0)), GROWING, {})["long2short"]
    assert check["models"]["dpo"]["accuracy_share"] is None
    assert check["holds"] is None


def test_held_out_items() -> None:
    assert checks(run(), GROWING, {})["held_out_items"] == {"n": 576, "target": 512, "holds": True}
    assert checks(run(dpo={"n": 511}), GROWING, {})["held_out_items"]["holds"] is False


def handed(same_as: str, *sections: str) -> HandedOn:
    return HandedOn(same_as=same_as, because=f"{' and '.join(sections)} null")


def test_rl_is_compared_with_what_it_started_from() -> None:
    """RL only: long SFT is the base model here. Checks without a meaning say so, and are not held."""
    left_out = {"short_sft": handed("base", "sft.short is"), "long_sft": handed("base", "sft.short", "sft.long are")}
    every = run(base={"accuracy": 0.3, "ci95": [0.27, 0.33]})
    found = checks({name: every[name] for name in ("base", "long_rl")}, GROWING, left_out)
    assert found["rl_gain"]["points"] == pytest.approx(33.0)
    assert found["rl_gain"]["holds"] is True
    assert found["base_below_short_sft"] == {"holds": None, "not_applicable": "short SFT is base (sft.short is null)"}
    assert found["long2short"] == {"holds": None, "not_applicable": "no method of long2short was evaluated"}
    assert found["length_grows_with_accuracy"]["holds"] is True
    (one, *_) = headlines(found)
    assert (one.verdict, one.detail) == ("– not applicable", "Short SFT is base (sft.short is null).")


def test_without_rl_nothing_is_said_of_it() -> None:
    every = run()
    left_out = {"long_rl": handed("long_sft", "rl.long is")}
    found = checks({name: every[name] for name in ("base", "short_sft", "long_sft", "dpo")}, [], left_out)
    for name in ("rl_gain", "modality_gains", "length_grows_with_accuracy"):
        assert found[name] == {"holds": None, "not_applicable": "long RL is long SFT (rl.long is null)"}
    assert list(found["long2short"]["models"]) == ["dpo"], "against the long model, whoever made it"


def test_what_was_not_evaluated_cannot_be_compared() -> None:
    every = run()
    found = checks({name: every[name] for name in ("long_rl", "dpo", "merged")}, GROWING, {})
    assert found["rl_gain"]["not_applicable"] == "long SFT was not evaluated"
    assert list(found["long2short"]["models"]) == ["merged", "dpo"]
    found = checks({name: every[name] for name in ("base", "dpo")}, GROWING, {})
    assert found["long2short"]["not_applicable"] == "long RL was not evaluated"
