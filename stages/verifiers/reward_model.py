"""The verifier "reward_model": a classic reward model (§2.3.5) reads question, reference and response and gives one number.

The judging function is asked as by the verifier "judge", but with the bare texts, and answers with a probability. A response is
right from one half on. Its accuracy in the report is 84.4 %, that of the chain-of-thought judge 98.5 %: prefer the judge for
rewards."""

from collections.abc import Sequence

from stages.data.files import DataError
from stages.verifiers.boxes import boxed_answer, final_part
from stages.verifiers.claims import Claim, Verdict
from stages.verifiers.judge import MAX_RESPONSE, NO_JUDGE, Answer, unreadable_reference

THRESHOLD = 0.5


def value_text(question: str, reference: str, response: str) -> str:
    """What the reward model reads: the response without its thinking."""
    return f"Question: {question.strip()}\nReference: {reference.strip()}\nResponse: {final_part(response).strip()}"


def verify_by_value(claims: Sequence[Claim], judge: Answer | None) -> list[Verdict]:
    """Verdicts in order; an "error" where the reward model cannot be asked or answers with no probability."""
    refused = {index: verdict for index, claim in enumerate(claims) if (verdict := _refusal(claim, judge)) is not None}
    asked = [index for index in range(len(claims)) if index not in refused]
    texts = [value_text(claims[index].question, claims[index].gold, claims[index].response) for index in asked]
    replies = judge(texts) if judge is not None and asked else []
    judged = {index: _verdict(claims[index], reply) for index, reply in zip(asked, replies, strict=True)}
    return [refused[index] if index in refused else judged[index] for index in range(len(claims))]


def _refusal(claim: Claim, judge: Answer | None) -> Verdict | None:
    reason = unreadable_reference(claim.gold, judged=True)
    if reason is not None or judge is None:
        return Verdict("error", None, reason or NO_JUDGE)
    length = len(final_part(claim.response))
    return (
        Verdict("error", None, f"a response of {length} characters; at most {MAX_RESPONSE} are shown")
        if length > MAX_RESPONSE
        else None
    )


def _verdict(claim: Claim, reply: str | DataError) -> Verdict:
    box = boxed_answer(claim.response)
    if isinstance(reply, DataError):
        return Verdict("error", box, f"the reward model did not answer: {reply}")
    try:
        probability = float(reply)
    except ValueError:
        probability = -1.0
    if not 0 <= probability <= 1:
        return Verdict("error", box, f"the reward model says {reply[:40]!r}, expected a probability; is judge.model a classic one?")
    reason = f"probability {probability:.3f} by the reward model"
    return Verdict("right" if probability >= THRESHOLD else "wrong", box, reason, {"probability": probability})
