"""Position ids against transformers' own, with and without pictures."""

import torch
from tiny import Tiny

from stages.models.positions import multimodal_positions, position_ids
from stages.prompts.prompt import Prompt
from stages.prompts.render import Rendered


def test_text_counts_up_in_all_four(tiny: Tiny) -> None:
    found = position_ids(tiny.model(), Rendered((5, 6, 7), {}, {}), 2)
    assert found.tolist() == [[0, 1, 2, 3, 4]] * 4


def test_a_picture_has_places_of_time_height_and_width(tiny: Tiny) -> None:
    """A scene of 80 x 32 pixels is 5 x 2 tokens; after them positions go on at the largest plus one."""
    model, renderer = tiny.model(), tiny.renderer()
    scene = next(problem for problem in tiny.problems if problem.family == "scene")
    (prompt,) = renderer.render([Prompt(scene.question, scene.image)])
    text, time, height, width = position_ids(model, prompt, 3).tolist()
    length = len(prompt.token_ids)
    assert text == list(range(length + 3))
    first = prompt.token_ids.index(model.config.image_token_id)
    grid = [int(value) // 2 for value in prompt.pixels["image_grid_thw"][0, 1:]]
    count = grid[0] * grid[1]
    assert prompt.token_ids.count(model.config.image_token_id) == count
    places = slice(first, first + count)
    assert time[places] == [first] * count
    assert height[places] == [first + row for row in range(grid[0]) for _ in range(grid[1])]
    assert width[places] == [first + column for _ in range(grid[0]) for column in range(grid[1])]
    after = first + max(grid)
    for kind in (time, height, width):
        assert kind[: first + 1] == list(range(first + 1))
        assert kind[first + count :] == list(range(after, after + length + 3 - first - count))


def test_they_are_those_that_the_model_would_use(tiny: Tiny) -> None:
    model, renderer = tiny.model(), tiny.renderer()
    chart = next(problem for problem in tiny.problems if problem.family == "chart")
    (prompt,) = renderer.render([Prompt(chart.question, chart.image)])
    ids = torch.tensor([prompt.token_ids])
    kinds = prompt.per_token["mm_token_type_ids"][None]
    with torch.no_grad():
        theirs = model(input_ids=ids, mm_token_type_ids=kinds, **prompt.pixels).logits
        ours = model(input_ids=ids, position_ids=position_ids(model, prompt, 0)[:, None], **prompt.pixels).logits
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    assert multimodal_positions(model)
