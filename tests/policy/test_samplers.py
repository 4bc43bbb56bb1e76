"""Curriculum and prioritised sampling (§2.3.4)."""

import json
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import problem

from stages.data.files import DataError
from stages.policy.samplers import CAP, FLOOR, MEMORY, NEUTRAL, ProblemSampler, sampled_difficulty


def sampler(rates: list[float], **changed: object) -> ProblemSampler:
    options = {"seed": 5, "curriculum_until": 0, "hard_pass_rate": 1.0, "prioritized": True, **changed}
    return ProblemSampler([problem(number, pass_rate=rate) for number, rate in enumerate(rates)], **options)


def test_weights_are_one_less_the_success_rate() -> None:
    drawn = sampler([0.5] * 4)
    drawn.update({"p0": 0.0, "p1": 0.75, "p2": 1.0})
    # never solved 1, three quarters solved 0.25, always solved the floor, never drawn neutral
    assert drawn.weights(0).tolist() == pytest.approx([1.0, 0.25, FLOOR, 1 - NEUTRAL])


def test_frequencies_follow_the_weights() -> None:
    """4,000 draws of one problem: shares 1 : 0.5 : 0.25 within four standard errors."""
    drawn = sampler([0.5] * 3)
    drawn.update({"p0": 0.0, "p1": 0.5, "p2": 0.75})
    counts = Counter(drawn.draw(iteration, 1)[0].id for iteration in range(4000))
    for name, share in (("p0", 4 / 7), ("p1", 2 / 7), ("p2", 1 / 7)):
        error = (share * (1 - share) / 4000) ** 0.5
        assert counts[name] / 4000 == pytest.approx(share, abs=4 * error)


def test_not_prioritised_is_uniform() -> None:
    drawn = sampler([0.5] * 3, prioritized=False)
    drawn.update({"p0": 0.0, "p1": 1.0})
    assert drawn.weights(0).tolist() == [1.0, 1.0, 1.0]


def test_the_curriculum_switches_to_hard_problems() -> None:
    drawn = sampler([0.9, 0.2, 0.5, 0.6], curriculum_until=3, hard_pass_rate=0.5, prioritized=False)
    assert drawn.weights(2).tolist() == [1.0, 1.0, 1.0, 1.0]
    assert drawn.weights(3).tolist() == [0.0, 1.0, 1.0, 0.0], "a pass rate of exactly the limit is hard"
    assert {found.id for found in drawn.draw(3, 2)} == {"p1", "p2"}


def test_without_any_hard_problem_all_stay() -> None:
    assert sampler([0.9, 0.8], hard_pass_rate=0.1, prioritized=False).weights(0).tolist() == [1.0, 1.0]


def test_the_running_rate_forgets() -> None:
    drawn = sampler([0.5])
    drawn.update({"p0": 1.0})
    assert drawn.success == {"p0": 1.0}, "the first rate counts in full"
    drawn.update({"p0": 0.0})
    assert drawn.success == {"p0": MEMORY}
    drawn.update({"p0": 0.0})
    assert drawn.success == {"p0": MEMORY**2}


rates = st.lists(st.floats(0, 1), min_size=1, max_size=20)


@given(rates, st.integers(0, 2**32), st.integers(0, 100), st.integers(1, 25), st.booleans())
def test_draws_are_distinct_and_repeatable(found: list[float], seed: int, iteration: int, count: int, prioritized: bool) -> None:
    def fresh() -> ProblemSampler:
        made = sampler([0.5] * len(found), seed=seed, prioritized=prioritized)
        made.update({f"p{number}": rate for number, rate in enumerate(found[::2])})
        return made

    drawn = [p.id for p in fresh().draw(iteration, count)]
    assert len(set(drawn)) == len(drawn) == min(count, len(found))
    torch.manual_seed(seed % 7)  # the global stream has no part in it
    assert [p.id for p in fresh().draw(iteration, count)] == drawn


@given(rates)
def test_state_round_trip(found: list[float]) -> None:
    before = sampler([0.5] * len(found))
    before.update({f"p{number}": rate for number, rate in enumerate(found)})
    saved, after = before.state(), sampler([0.5] * len(found))
    before.update({"p0": 0.25})
    after.restore(saved)
    assert after.success["p0"] == found[0], "the saved state is a copy"
    after.update({"p0": 0.25})
    assert [p.id for p in after.draw(9, 3)] == [p.id for p in before.draw(9, 3)]


def test_iterations_and_seeds_draw_differently() -> None:
    drawn = sampler([0.5] * 50)
    assert drawn.draw(0, 10) != drawn.draw(1, 10)
    assert drawn.draw(0, 10) != sampler([0.5] * 50, seed=6).draw(0, 10)


def mixed(texts: int, pictures: int, **changed: object) -> ProblemSampler:
    """Problems t0 ... are texts, i0 ... pictures."""
    made = [problem(n, id=f"t{n}") for n in range(texts)] + [problem(n, id=f"i{n}", modality="image") for n in range(pictures)]
    return ProblemSampler(made, **{"seed": 5, "curriculum_until": 0, "hard_pass_rate": 1.0, "prioritized": True, **changed})


def test_floor_and_cap_bound_the_weights() -> None:
    drawn = sampler([0.5] * 4, floor=0.2, cap=0.9)
    drawn.update({"p0": 0.0, "p1": 0.75, "p2": 1.0})
    assert drawn.weights(0).tolist() == pytest.approx([0.9, 0.25, 0.2, 1 - NEUTRAL])
    assert CAP == 1.0, "by default a problem never solved weighs what 1 - s_i says"
    for floor, cap in ((0.0, 1.0), (0.6, 0.5)):
        with pytest.raises(DataError, match="expected 0 < floor <= cap"):
            sampler([0.5], floor=floor, cap=cap)


def test_none_may_be_drawn() -> None:
    assert sampler([0.5] * 3).draw(0, 0) == []
    assert mixed(3, 3, image_share=0.5).draw(0, 0) == []
    assert sampler([0.5] * 2).draw(0, 2, exclude=["p0", "p1"]) == []


def test_excluded_problems_are_not_drawn() -> None:
    drawn = sampler([0.5] * 4)
    assert {found.id for found in drawn.draw(0, 4, exclude={"p1", "unknown"})} == {"p0", "p2", "p3"}
    assert drawn.draw(3, 2, exclude=[]) == drawn.draw(3, 2)


def test_the_mixture_by_hand() -> None:
    for iteration in range(20):
        ids = [found.id for found in mixed(9, 9, image_share=0.25).draw(iteration, 8)]
        assert sorted(name[0] for name in ids) == ["i", "i", "t", "t", "t", "t", "t", "t"]
    orders = {"".join(found.id[0] for found in mixed(9, 9, image_share=0.5).draw(n, 4)) for n in range(30)}
    assert len(orders) > 3, "pictures and texts come in mixed order, so that every rank gets some of both"
    assert {found.id[0] for found in mixed(3, 3, image_share=1.0).draw(0, 3)} == {"i"}
    assert {found.id[0] for found in mixed(3, 3, image_share=0.0).draw(0, 3)} == {"t"}


def test_a_share_between_whole_numbers_holds_on_average() -> None:
    """One picture in three single draws: 1,500 draws, within four standard errors."""
    drawn = mixed(5, 5, image_share=1 / 3)
    pictures = sum(drawn.draw(iteration, 1)[0].modality == "image" for iteration in range(1500))
    assert pictures / 1500 == pytest.approx(1 / 3, abs=4 * (2 / 9 / 1500) ** 0.5)


def test_a_mixture_is_prioritised_within_each_modality() -> None:
    drawn = mixed(2, 2, image_share=0.5, floor=1e-9)
    drawn.update({"t0": 0.0, "t1": 1.0, "i0": 1.0, "i1": 0.0})
    assert all({found.id for found in drawn.draw(iteration, 2)} == {"t0", "i1"} for iteration in range(20))


def test_too_few_of_a_modality_is_one_clear_error() -> None:
    with pytest.raises(DataError, match=r"2 picture problems, image_share = 0.5 asks for 3 an iteration; change image_share"):
        mixed(9, 2, image_share=0.5, curriculum_until=1).draw(0, 6)
    with pytest.raises(DataError, match="0 text problems"):
        mixed(0, 9, image_share=0.5).require(1)
    mixed(3, 3, image_share=0.5).require(6)
    mixed(3, 0).require(6)
    with pytest.raises(DataError, match="expected a share from 0 to 1"):
        mixed(3, 3, image_share=50)
    late = mixed(3, 3, image_share=0.5, curriculum_until=100, hard_pass_rate=0.6)
    late.problems[3:] = [found.model_copy(update={"pass_rate": 0.9}) for found in late.problems[3:]]
    late.draw(0, 4)
    with pytest.raises(DataError, match=r"0 picture problems with a pass rate of at most 0.6, .* asks for 2"):
        late.require(4)


def test_open_problems_make_a_mixture_smaller_not_an_error() -> None:
    drawn = mixed(4, 2, image_share=0.5).draw(0, 4, exclude={"i0"})
    assert sorted(found.id[0] for found in drawn) == ["i", "t", "t"]


@settings(deadline=None)
@given(
    st.integers(0, 12), st.integers(0, 12), st.floats(0, 1), st.integers(0, 14), st.integers(0, 50),
    st.sets(st.sampled_from([f"{kind}{n}" for kind in "ti" for n in range(12)])),
)  # fmt: skip
def test_any_mixture(texts: int, pictures: int, share: float, count: int, iteration: int, closed: set[str]) -> None:
    drawn = mixed(texts, pictures, image_share=share)
    try:
        drawn.require(count)
    except DataError:
        return
    found = [p.id for p in drawn.draw(iteration, count, closed)]
    assert len(set(found)) == len(found)
    assert not closed & set(found)
    assert found == [p.id for p in mixed(texts, pictures, image_share=share).draw(iteration, count, closed)]
    if not closed:
        assert len(found) == count
        assert abs(sum(name.startswith("i") for name in found) - share * count) < 1 + 1e-6


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=1, max_size=30))
def test_the_histogram_of_what_was_drawn(found: list[tuple[int, bool]]) -> None:
    figures = sampled_difficulty(
        [
            problem(number, pass_rate=tenth / 10, modality="image" if image else "text")
            for number, (tenth, image) in enumerate(found)
        ]
    )
    bins = {name: value for name, value in figures.items() if "pass_rate" in name}
    assert len(bins) == 5
    assert sum(bins.values()) == pytest.approx(1.0)
    assert figures["sampled/image"] == pytest.approx(sum(image for _, image in found) / len(found))


def test_the_histogram_by_hand() -> None:
    figures = sampled_difficulty([problem(n, pass_rate=rate) for n, rate in enumerate([0.0, 0.1, 0.2, 0.6, 0.6, 0.79, 0.8, 1.0])])
    assert figures == {
        "sampled/pass_rate_0.0_0.2": 0.25,
        "sampled/pass_rate_0.2_0.4": 0.125,
        "sampled/pass_rate_0.4_0.6": 0.0,
        "sampled/pass_rate_0.6_0.8": 0.375,
        "sampled/pass_rate_0.8_1.0": 0.25,
        "sampled/image": 0.0,
    }
    assert sampled_difficulty([]) == {}


def test_a_resumed_sampler_goes_on_as_the_first_would_have() -> None:
    """Ten iterations with varying counts and open problems, against one that is saved and restored after each."""
    whole, ids = mixed(20, 20, image_share=0.4, curriculum_until=4), []
    for resumed in (False, True):
        drawn, seen = whole if not resumed else mixed(20, 20, image_share=0.4, curriculum_until=4), []
        for iteration, count in enumerate((8, 0, 3, 5, 8, 1, 0, 8, 2, 6)):
            if resumed:
                state = json.loads(json.dumps(drawn.state()))
                drawn = mixed(20, 20, image_share=0.4, curriculum_until=4)
                drawn.restore(state)
            found = drawn.draw(iteration, count, exclude=[name for names in seen[-2:] for name in names])
            drawn.update({p.id: (hash_free(p.id) + iteration) % 5 / 4 for p in found})
            seen.append([p.id for p in found])
        ids.append(seen)
    assert ids[0] == ids[1]
    assert sum(map(len, ids[0])) == 41


def hash_free(name: str) -> int:
    return sum(map(ord, name))
