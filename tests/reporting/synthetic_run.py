"""A whole run's results, made up and written as files, for the tests of the report."""

import csv
import json
import math
import random
import struct
import zlib
from pathlib import Path
from typing import Any

FAMILIES = {
    "arithmetic": "text",
    "word_problem": "text",
    "logic": "text",
    "chart": "image",
    "scene": "image",
    "rendered": "image",
}
DOMAINS = ("mathematics", "logic", "chart_reading", "spatial_reasoning")
ACCURACY = {
    "base": 0.06,
    "short_sft": 0.31,
    "long_sft": 0.42,
    "long_rl": 0.63,
    "merged": 0.47,
    "merged_rs": 0.5,
    "shortest": 0.55,
    "dpo": 0.58,
    "short_rl": 0.61,
}
TOKENS = {
    "base": 70,
    "short_sft": 14,
    "long_sft": 61,
    "long_rl": 92,
    "merged": 37,
    "merged_rs": 39,
    "shortest": 44,
    "dpo": 58,
    "short_rl": 51,
}
NASTY = "<script>alert('x')</script> & <b>bold</b>"


def score(accuracy: float, tokens: float, n: int = 96, k: int = 1, modality: str = "text", stand_in: bool = True) -> dict[str, Any]:
    half = 1.96 * math.sqrt(accuracy * (1 - accuracy) / (n * k))
    return {
        "accuracy": accuracy,
        "ci95": [max(0.0, accuracy - half), min(1.0, accuracy + half)],
        "stderr": half / 1.96,
        "mean_tokens": tokens,
        "p95_tokens": 2.1 * tokens,
        "n": n,
        "k": k,
        "truncated": 0.01,
        "unparsed": 0.02,
        "errors": 0.005,
        "excluded": [],
        "stand_in": stand_in,
        "modality": modality,
    }


def benchmark(accuracy: float, n: int, title: str, k: int = 1, limited: bool = False) -> dict[str, Any]:
    return {
        **score(accuracy, 120, n, k, stand_in=False),
        "limited": limited,
        "part": "first 50" if limited else None,
        "title": title,
        "metric": "EM",
        "prompt": "the boxed instruction",
        "shots": 0,
        "split": "test",
        "data": {
            "hub_id": "a/b",
            "pinned": None,
            "revision": None,
            "origin": "c/d, commit e",
            "files": ["test.jsonl"],
            "sha256": 64 * "5",
        },
        "extraction": "the last box",
        "rule": "equality; mean over problems",
        "scorer": {"code": "0123456789ab", "math-verify": "0.9.0"},
        "decoding": {"temperature": 0.6, "top_p": 0.95, "samples": k, "max_tokens": 32768, "source": "ours"},
    }


def column(name: str, table: int | None, **benchmarks: Any) -> dict[str, Any]:
    """The file of another model's column."""
    chosen = {} if table is None else {"table": table}
    return {"checkpoint": name, "parameters": None, "settings": {}, "suites": {}, "benchmarks": benchmarks, **chosen}


def evaluation(name: str) -> dict[str, Any]:
    suites = {
        family: score(max(0.01, ACCURACY[name] + 0.03 * place - 0.075), TOKENS[name] + 4 * place, modality=modality)
        for place, (family, modality) in enumerate(FAMILIES.items())
    }
    suites["overall"] = score(ACCURACY[name], TOKENS[name], n=576)
    suites["text"] = score(ACCURACY[name] - 0.02, TOKENS[name] - 5, n=288)
    suites["image"] = score(ACCURACY[name] + 0.02, TOKENS[name] + 5, n=288, modality="image")
    return {
        "checkpoint": name,
        "parameters": 912_384,
        "settings": {"temperature": 1.0, "top_p": 1.0, "max_tokens": 192, "engine": "transformers", "seed": 0},
        "suites": suites,
        "benchmarks": {
            "math500": benchmark(0.012 + ACCURACY[name] / 50, 500, "MATH-500"),
            "aime2024": {"missing": "not among evaluate.benchmarks"},
            "mathvision": benchmark(0.05, 304, "MathVision"),
        },
    }


def rl_rows(iterations: int, every: int, tokens: float, seed: int, families: tuple[str, ...]) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    rows = []
    for iteration in range(iterations):
        share = iteration / iterations
        row: dict[str, Any] = {
            "iteration": iteration,
            "reward": 0.42 + 0.25 * share + chance.gauss(0, 0.02),
            "accuracy": 0.42 + 0.25 * share + chance.gauss(0, 0.02),
            "mean_tokens": tokens * (1 + 0.6 * share) + chance.gauss(0, 2),
            "p95_tokens": 2 * tokens * (1 + 0.5 * share) + chance.gauss(0, 4),
            "zero_signal": 0.3 + 0.2 * share,
            "entropy": 0.8 - 0.4 * share + chance.gauss(0, 0.02),
            "kl_rollout_trainer": abs(chance.gauss(0, 1e-4)),
            "ratio_max": 1.5 + chance.random(),
            "grad_norm": 0.6 + chance.random() / 3,
            "loss": chance.gauss(0, 0.05),
            "truncated": 0.02 + 0.03 * share,
            "length_reward": 0.0,
            "repeat": 0.01 * share,
            "cut": 0.12 + chance.gauss(0, 0.01),
            "ratio_p99": 1 + abs(chance.gauss(0, 1e-3)),
            **mixture(share, tokens, chance),
            "seconds_extra": 1.0,
        }
        if iteration % every == 0 or iteration == iterations - 1:
            for place, prefix in enumerate(["validation_", *(f"validation/{family}/" for family in families)]):
                row[prefix + "accuracy"] = min(1.0, 0.35 + 0.03 * place + 0.3 * share + chance.gauss(0, 0.02))
                row[prefix + "mean_tokens"] = tokens * (1 + 0.6 * share + 0.1 * place) + chance.gauss(0, 2)
                row[prefix + "p95_tokens"] = 2 * tokens * (1 + 0.5 * share + 0.1 * place) + chance.gauss(0, 4)
        rows.append(row)
    return rows


def mixture(share: float, tokens: float, chance: random.Random) -> dict[str, float]:
    """What was drawn, how old the tokens were, and the domains; harder and older as the run goes on."""
    bins = [max(0.05, 1 + share * (2 - n) + chance.gauss(0, 0.08)) for n in range(5)]
    ages = [0.9 - 0.2 * share, 0.08 + 0.1 * share, 0.02 + 0.06 * share, 0.04 * share]
    row = {f"sampled/pass_rate_{n / 5:.1f}_{(n + 1) / 5:.1f}": value / sum(bins) for n, value in enumerate(bins)}
    row |= {f"staleness/{name}": age / sum(ages) for name, age in zip(("0", "1", "2", "3+"), ages, strict=True)}
    for place, group in enumerate(("text", "image", *(f"domain/{name}" for name in DOMAINS))):
        row[f"{group}/accuracy"] = 0.4 + 0.05 * place + 0.25 * share + chance.gauss(0, 0.04)
        row[f"{group}/mean_tokens"] = tokens * (1 + 0.1 * place + 0.6 * share) + chance.gauss(0, 2)
        row[f"{group}/p95_tokens"] = 2 * tokens * (1 + 0.1 * place + 0.5 * share) + chance.gauss(0, 4)
    return row


def write_csv(path: Path, step: str, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    names = [step, *sorted({name for row in rows for name in row} - {step})]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(rows)


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def png(width: int, height: int, red: int, green: int, blue: int) -> bytes:
    """A picture of one colour with a dark bar."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + _row(width, y, height, (red, green, blue)) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _row(width: int, y: int, height: int, colour: tuple[int, int, int]) -> bytes:
    return b"".join(
        bytes((40, 40, 40) if y > height - 4 or (x % 28 < 6 and y > (x * 7) % height) else colour) for x in range(width)
    )


def generations(root: Path, name: str) -> list[dict[str, Any]]:
    chance = random.Random(name)
    rows = []
    for family, modality in FAMILIES.items():
        for number in range(4):
            image = None
            if modality == "image":
                image = f"artifacts/problems/images/{family}-{number}.png"
                (root / image).parent.mkdir(parents=True, exist_ok=True)
                (root / image).write_bytes(png(168, 84, 250, 240, 220))
            right = chance.random() < ACCURACY[name]
            text = f"try x = {number}: 3*{number}+4 = {3 * number + 4}, not 2.\n" * (1 + TOKENS[name] // 20) + "\\boxed{7}"
            rows.append(
                {
                    "suite": family,
                    "id": f"{family}-{number:03d}",
                    "question": f"Find x with 3*x+4 = 2 modulo 10 ({family}). {NASTY if number == 0 else ''}",
                    "image": image,
                    "gold": "7" if right else "8",
                    "text": NASTY + text if number % 2 == 0 else text,
                    "tokens": TOKENS[name] + number,
                    "outcome": "right" if right else ("error" if number == 3 else "wrong"),
                    "extracted": "7",
                    "finish": "stop" if number else "length",
                }
            )
    return rows


CURATION = [
    ("licence", 2400, 0), ("duplicates", 2400, 31), ("unparseable_answer", 2369, 4), ("multiple_choice", 2365, 0),
    ("proof", 2365, 0), ("decontamination", 2365, 12), ("guessable", 2353, 207), ("trivial", 2146, 388),
]  # fmt: skip
COLLECTION = [("malformed row", 2600, 3), ("near-duplicate", 2597, 190), ("beyond the quotas", 2407, 7)]
MIX = {
    "domain": {name: {"before": 400 * (place + 1), "after": 150} for place, name in enumerate(DOMAINS)},
    "discipline": {"algebra": {"before": 900, "after": 800}, "not stated": {"before": 1500, "after": 958}},
    "modality": {"text": {"before": 1500, "after": 900}, "image": {"before": 900, "after": 858}},
    "grade": {str(grade): {"before": 480, "after": 300 + 20 * grade} for grade in range(1, 6)},
    "source": {f"a_source_with_a_long_name_{number}": {"before": 10 + number, "after": number} for number in range(14)},
    "licence": {"MIT": {"before": 2400, "after": 1758}},
}
DETAIL = {
    "mix": MIX,
    "balance": {"domain": {"before": 0.91, "after": 0.99}},
    "decontamination": {"benchmarks": ["math500"], "texts": 500, "hits": [{"id": "p7", "reason": f"as in math500 {NASTY}"}]},
    "difficulty": {
        "arithmetic": {"problems": 412, "pass_rate": 0.3456},
        f"a family {NASTY}": {"problems": 3, "pass_rate": 0.0},
    },
}
WARM_UP = [("wrong_final_answer", 3516, 40), ("missing_behaviour", 3476, 220), ("too_long", 3256, 18)]


def funnel(steps: list[tuple[str, int, int]]) -> dict[str, Any]:
    return {
        "steps": [
            {
                "rule": rule,
                "before": before,
                "removed": removed,
                "after": before - removed,
                "examples": [{"id": f"{rule}-{number}", "reason": f"{rule} {NASTY}"} for number in range(min(removed, 2))],
            }
            for rule, before, removed in steps
        ]
    }


def write_run(root: Path, families: tuple[str, ...] = tuple(FAMILIES)) -> list[str]:
    """All inputs of the report under `root`, params.yaml too; the arguments of `stages.report`."""
    for name in ACCURACY:
        write_json(root / f"results/evaluations/{name}.json", evaluation(name))
        rows = generations(root, name)
        path = root / f"artifacts/generations/{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for name, steps in (("base", 375), ("short_sft", 112), ("long_sft", 90), ("shortest", 40), ("merged_rs", 40), ("dpo", 16)):
        chance = random.Random(name)
        rows = [
            {
                "step": step,
                "loss": 0.2 + 3 * math.exp(-step / 40) + chance.gauss(0, 0.05),
                "learning_rate": 1e-3,
                "tokens_per_second": 9000.0,
            }
            for step in range(steps)
        ]
        write_csv(root / f"results/training/{name}.csv", "step", rows)
    write_csv(root / "results/training/long_rl.csv", "iteration", rl_rows(50, 5, 60, 1, families))
    write_csv(root / "results/training/short_rl.csv", "iteration", rl_rows(20, 5, 50, 2, families))
    write_json(root / "artifacts/problems/funnel.json", funnel(COLLECTION))
    write_json(root / "results/curation/funnel.json", {**funnel(CURATION), **DETAIL})
    write_json(root / "results/warm_up/funnel.json", funnel(WARM_UP))
    write_json(root / "results/phases/checkpoints.json", {"passed_through": {}})
    for stage, seconds in (("base", 70.25), ("rl@long", 301.5), ("evaluate@base", 9.0)):
        write_json(root / f"artifacts/timings/{stage}.json", {"stage": stage, "seconds": seconds})
    (root / "params.yaml").write_text(Path("params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    return arguments(root)


def arguments(root: Path, out: str = "results/report") -> list[str]:
    places = {
        "evaluations": "results/evaluations",
        "training": "results/training",
        "collection": "artifacts/problems/funnel.json",
        "curation": "results/curation/funnel.json",
        "warm-up": "results/warm_up/funnel.json",
        "generations": "artifacts/generations",
        "docs": "artifacts/data_docs",
        "timings": "artifacts/timings",
        "phases": "results/phases/checkpoints.json",
        "out": out,
    }
    return [part for name, place in places.items() for part in (f"--{name}", str(root / place))]
