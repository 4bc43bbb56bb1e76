"""The values that the forms of Prefect's page offer by name, typed and with help; every other one goes into `overrides`."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from stages.run.sections import BenchmarkName


def _value(key: str, text: str, **bounds: Any) -> Any:
    """A field of the form: empty leaves the value of params.yaml."""
    return Field(default=None, title=key, description=f"{text} Empty: as in params.yaml.", **bounds)


class Values(BaseModel):
    """Values of params.yaml for this run only."""

    model_config = ConfigDict(extra="forbid")

    seed: int | None = _value("seed", "Every stream of random numbers follows from it.", ge=0)
    model_source: str | None = _value("model.source", "scratch, or a model that params.yaml or a preset names.")
    model_revision: str | None = _value("model.revision", "Commit of the hub id.")
    processes: int | None = _value("hardware.processes", "Ranks of a training stage.", ge=1)
    long_iterations: int | None = _value("rl.long.iterations", "Iterations of RL for long answers.", ge=1)
    long_tau: float | None = _value("rl.long.tau", "tau of eq. 2.", gt=0)
    long_learning_rate: float | None = _value("rl.long.learning_rate", "Learning rate of RL for long answers.", gt=0)
    long_max_tokens: int | None = _value("rl.long.max_tokens", "Tokens of a response at most.", ge=1)
    short_iterations: int | None = _value("rl.short.iterations", "Iterations of long2short RL.", ge=1)
    short_max_tokens: int | None = _value("rl.short.max_tokens", "Tokens of a response of long2short RL at most.", ge=1)
    short_length_weight: float | None = _value("rl.short.length_weight", "w of the length reward (§2.3.3) in long2short RL.", ge=0)
    merge_weight: float | None = _value("merge.weight", "Share of the long model in the average.", ge=0, le=1)
    dpo_beta: float | None = _value("dpo.beta", "beta of DPO.", gt=0)
    benchmarks: list[BenchmarkName] | None = _value("evaluate.benchmarks", "Benchmarks whose files lie under evaluate.root.")


def dotted(values: Values | None) -> dict[str, Any]:
    """The filled-in fields by their names in params.yaml."""
    if values is None:
        return {}
    filled = values.model_dump(exclude_none=True)
    return {str(field.title): filled[name] for name, field in Values.model_fields.items() if name in filled}
