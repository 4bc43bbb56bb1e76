"""Shortest rejection sampling (§2.4): of n samples of a problem, the shortest right one is what SFT imitates."""

from collections.abc import Sequence

from stages.data.records import Demonstration, Sample, SampleGroup


def shortest_right(samples: Sequence[Sample]) -> Sample | None:
    """The right sample with the fewest tokens that ended by itself (the first of equals); None when there is none."""
    right = [sample for sample in samples if sample.outcome == "right" and sample.finish == "stop"]
    return min(right, key=lambda sample: len(sample.token_ids), default=None)


def demonstrations(groups: Sequence[SampleGroup]) -> list[Demonstration]:
    """One demonstration for every problem that some sample solved, with the sampled token ids as they are."""
    chosen = [(group.problem, shortest_right(group.samples)) for group in groups]
    return [
        Demonstration(
            id=f"{problem.id}-shortest",
            problem_id=problem.id,
            family=problem.family,
            question=problem.question,
            image=problem.image,
            response=sample.text,
            response_ids=sample.token_ids,
            form="short",
            behaviours={},
        )
        for problem, sample in chosen
        if sample is not None
    ]
