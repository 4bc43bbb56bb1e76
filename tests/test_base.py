"""What base makes of documents: pictures that are prepared together are those that would be prepared one by one."""

from pathlib import Path

import torch
from tiny import Tiny

from stages.base import TOGETHER, document_samples, tokenizer_texts
from stages.models.scratch import train_tokenizer
from stages.problems.pretraining import DESCRIBE, documents
from stages.prompts.prompt import Prompt
from stages.run.params import Model


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


def test_the_tokenizer_knows_the_words_of_all_kinds_of_documents(tmp_path: Path) -> None:
    """The first sixth is captions alone: a tokenizer made from it spells the questions out."""
    (tmp_path / "train.jsonl").write_text("")
    found = documents(19200, seed=1)
    assert all(document.question == DESCRIBE for document in found[:3000])
    model = Model(
        source="scratch",
        revision=None,
        context=256,
        instruction="Answer in \\boxed{}.",
        system=None,
        thinking=None,
        chat_template=None,
    )
    tokenizer = train_tokenizer(tokenizer_texts(found, tmp_path, model), 512)
    worksheets = [document for document in found if document.question != DESCRIBE][:600]
    lengths = [len(tokenizer(document.question)["input_ids"]) for document in worksheets]
    assert sum(lengths) / len(lengths) < 24, "about one token a word"
