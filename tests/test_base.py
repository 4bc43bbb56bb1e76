"""What base makes of documents: pictures that are prepared together are those that would be prepared one by one."""

import torch
from tiny import Tiny

from stages.base import TOGETHER, document_samples
from stages.problems.pretraining import documents
from stages.prompts.prompt import Prompt


def test_pictures_prepared_together_are_what_they_are_alone(tiny: Tiny) -> None:
    renderer, found = tiny.renderer(), documents(2 * TOGETHER, seed=1)
    assert len({document.image.size for document in found if document.image}) > 5, "pictures of many sizes, to be padded"
    assert any(document.image is None for document in found)
    for document, sample in zip(found, document_samples(found, renderer, tiny.model()), strict=True):
        if document.image is None:
            (alone,) = renderer.render([Prompt(document.question, None)])
        else:
            alone = renderer.picture(renderer.template(Prompt(document.question, "")), document.image)
        assert sample.prompt.token_ids == alone.token_ids
        assert sample.response_ids == tuple(renderer.processor.tokenizer(document.continuation)["input_ids"])
        for ours, theirs in ((sample.prompt.per_token, alone.per_token), (sample.prompt.pixels, alone.pixels)):
            assert ours.keys() == theirs.keys()
            assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
