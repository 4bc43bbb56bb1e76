"""Shortest rejection sampling (§2.4): of n samples of a problem, the shortest right one is what SFT imitates."""

from collections.abc import Sequence

from stages.data.records import Demonstration, Sample, SampleGroup


def shortest_right(samples: Sequence[Sample]) -> Sample | None:
    """The right sample with the fewest tokens that ended by itself (the first of equals); None when there is none."""
    right = [sample for sample in samples if sample.outcome == "right" and sample.finish == "stop"]
    return min(right, key=lambda sample: len(sample.token_ids), default=None)


def saves(samples: Sequence[Sample], shortest: Sample, min_length_ratio: float) -> bool:
    """Whether the right samples are on average at least `min_length_ratio` times as long as the shortest one. Where all are
    about equally long, the shortest teaches nothing about brevity, and imitating it keeps the length where it is."""
    lengths = [len(sample.token_ids) for sample in samples if sample.outcome == "right"]
    return sum(lengths) >= min_length_ratio * len(shortest.token_ids) * len(lengths)


def demonstrations(groups: Sequence[SampleGroup], min_length_ratio: float) -> list[Demonstration]:
    """One demonstration for every problem whose shortest right sample saves tokens (1.0: every problem that was solved), with
    the sampled token ids as they are."""
    chosen = [(group, shortest_right(group.samples)) for group in groups]
    return [
        Demonstration(
            id=f"{group.problem.id}-shortest",
            problem_id=group.problem.id,
            family=group.problem.family,
            question=group.problem.question,
            image=group.problem.image,
            verifier=group.problem.verifier,
            response=sample.text,
            response_ids=sample.token_ids,
            form="short",
            behaviours={},
        )
        for group, sample in chosen
        if sample is not None and saves(group.samples, sample, min_length_ratio)
    ]
