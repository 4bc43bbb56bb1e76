"""The rules of curation that ask no model, in their order: what remains is worth a model's time."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.curation import decontamination, evaluability
from stages.curation.funnel import Funnel
from stages.data.records import Problem
from stages.models.about import about
from stages.models.text_only import TEXT_ONLY

HITS_NAMED = 100


def readable(collected: Sequence[Problem], model: Path) -> tuple[Funnel, list[Problem]]:
    """A new funnel, and the problems that the model in a folder reads: for a text-only model those
    without pictures. What goes here is no loss of curation: shares and modalities of the set are
    those of what is left."""
    funnel = Funnel()
    if about(model).pictures:
        return funnel, list(collected)
    return funnel, funnel.remove(
        TEXT_ONLY, collected, {problem.id: TEXT_ONLY for problem in collected if problem.image is not None}
    )


def without_model(
    funnel: Funnel,
    collected: Sequence[Problem],
    held_out: Iterable[Problem],
    texts: Sequence[tuple[str, str]],
    compared: Mapping[str, Any],
    workers: int,
    judged: bool,
) -> list[Problem]:
    """The problems that may be trained on, can be verified, and stand in no benchmark and no held-out set of ours. `texts`:
    (benchmark/item, question) of all benchmarks; `compared`: what they are. `judged`: whether there is a judge for free-form
    answers. The funnel's detail "decontamination" is `compared` with the hits."""
    kept = funnel.remove("licence forbids training", collected, evaluability.forbidden_sets(collected))
    kept = funnel.remove("hard exclusions", kept, evaluability.exclusions(kept))
    kept = funnel.remove("unverifiable answer", kept, evaluability.unverifiable(kept, workers, judged))
    kept = funnel.remove("in our held-out sets", kept, decontamination.against_held_out(kept, held_out))
    hits = decontamination.against_benchmarks(kept, texts)
    kept = funnel.remove("in a benchmark", kept, hits)
    named = [{"id": identity, "reason": reason} for identity, reason in list(hits.items())[:HITS_NAMED]]
    funnel.detail["decontamination"] = {**compared, "hits": named}
    return kept
