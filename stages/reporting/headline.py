"""The headline checks in words: what was measured, against which target, and whether it holds; and as cards."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stages.reporting.evaluations import CHECKPOINTS
from stages.reporting.markup import Html, tag

_STATES = {True: ("holds", "✓ holds"), False: ("fails", "✗ does not hold"), None: ("open", "? cannot be decided")}


@dataclass(frozen=True)
class Headline:
    """One check in words."""

    title: str
    kind: str
    """"holds", "fails" or "open"."""
    verdict: str
    """The same for readers."""
    measured: str
    detail: str


def headlines(checks: dict[str, dict[str, Any]]) -> list[Headline]:
    """The checks of stages.reporting.checks, in the order of the recipe."""
    found = (
        ("Short SFT beats the base model", checks["base_below_short_sft"], _base),
        ("RL beats long SFT", checks["rl_gain"], _gain),
        ("Text and pictures both improve", checks["modality_gains"], _modalities),
        ("Longer and better together", checks["length_grows_with_accuracy"], _length),
        ("Shorter and still good", checks["long2short"], _shorter),
        ("Held-out problems", checks["held_out_items"], _items),
    )
    return [_headline(title, check, words) for title, check, words in found]


def _headline(title: str, check: dict[str, Any], words: Callable[[dict[str, Any]], tuple[str, str]]) -> Headline:
    if reason := check.get("not_applicable"):
        return Headline(title, "open", "– not applicable", "not applicable", f"{reason[0].upper()}{reason[1:]}.")
    return Headline(title, *_STATES[check["holds"]], *words(check))


def cards(checks: dict[str, dict[str, Any]]) -> Html:
    """One card a check."""
    return tag("ul", *(_card(headline) for headline in headlines(checks)), class_="cards")


def _card(headline: Headline) -> Html:
    return tag(
        "li",
        tag("p", headline.verdict, class_="state"),
        tag("h3", headline.title),
        tag("p", headline.measured, class_="number"),
        tag("p", headline.detail),
        class_=f"card {headline.kind}",
    )


def _base(check: dict[str, Any]) -> tuple[str, str]:
    return (
        f"{check['points']:+.1f} points",
        f"{_percent(check['base'])} to {_percent(check['short_sft'])}, intervals {_apart(check)}.",
    )


def _gain(check: dict[str, Any]) -> tuple[str, str]:
    before, after = check["long_sft"], check["long_rl"]
    return (
        f"{check['points']:+.1f} points",
        f"{_interval(before)} to {_interval(after)}, intervals {_apart(check)}. "
        f"Target: {check['target_points']:+.0f} points, intervals apart.",
    )


def _modalities(check: dict[str, Any]) -> tuple[str, str]:
    shown = ", ".join(f"{name} {points:+.1f}" for name, points in check["points"].items())
    return shown or "not measured", "Points from long SFT to long RL. Target: both above zero."


def _length(check: dict[str, Any]) -> tuple[str, str]:
    if check["rank_correlation"] is None:
        return "no correlation", f"{check['points']} validation points, or no change, decide nothing."
    return (
        f"ρ = {check['rank_correlation']:+.2f}",
        f"Rank correlation of accuracy and mean tokens over {check['points']} validations of RL; "
        f"{check['first_mean_tokens']:.0f} to {check['last_mean_tokens']:.0f} tokens. "
        f"Target: at least {check['target']}, and growing.",
    )


def _shorter(check: dict[str, Any]) -> tuple[str, str]:
    best = check["models"][check["best"]]
    all_models = "; ".join(
        f"{CHECKPOINTS[name]} {_share(model['token_share'])} of tokens, {_share(model['accuracy_share'])} of accuracy"
        for name, model in check["models"].items()
    )
    return (
        f"{_share(best['token_share'])} of the tokens",
        f"Best: {CHECKPOINTS[check['best']]}, {_share(best['accuracy_share'])} of the long model's accuracy. "
        f"All: {all_models}. "
        f"Target: each at most {_share(check['target_token_share'])} of the tokens, the best at least "
        f"{_share(check['target_accuracy_share'])} of the accuracy.",
    )


def _items(check: dict[str, Any]) -> tuple[str, str]:
    return f"n = {check['n']:,}", f"The smallest over all checkpoints. Target: at least {check['target']}."


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _share(share: float | None) -> str:
    return "an unknown share" if share is None else f"{100 * share:.0f}%"


def _interval(score: dict[str, Any]) -> str:
    low, high = score["ci95"]
    return f"{_percent(score['accuracy'])} [{100 * low:.1f}, {100 * high:.1f}]"


def _apart(check: dict[str, Any]) -> str:
    return "apart" if check["intervals_apart"] else "overlap"
