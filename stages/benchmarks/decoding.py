"""How responses are drawn by default: the protocols of short-CoT (table 3) and long-CoT (table 2) models.

The report gives neither temperature nor samples. Short-CoT follows the DeepSeek-V3 report (arXiv 2412.19437, §5.3.1: at
most 8,192 tokens; AIME at temperature 0.7 over 16 runs, else greedy), whose figures table 3 repeats; long-CoT follows the
DeepSeek-R1 report (arXiv 2501.12948, §3: temperature 0.6, top-p 0.95, 32,768 tokens, 64 responses; fewer where a set is
large are ours)."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Decoding:
    """How the responses of one benchmark are drawn."""

    temperature: float
    """0 means greedy."""
    top_p: float
    samples: int
    """k, the responses to each item."""
    max_tokens: int
    source: str
    """Whose protocol this is."""


GREEDY = Decoding(0.0, 1.0, 1, 8192, "DeepSeek-V3 report, §5.3.1")
SAMPLED = Decoding(0.6, 0.95, 1, 32768, "DeepSeek-R1 report, §3")


def averaged(decoding: Decoding, samples: int, temperature: float | None = None) -> Decoding:
    """`decoding` with k = `samples` and, where given, another temperature."""
    return replace(decoding, samples=samples, temperature=decoding.temperature if temperature is None else temperature)
