"""The forms of Prefect's page: every field is a value of params.yaml with its type, and has help."""

from typing import Any, get_args

import pytest
from prefect.utilities.callables import parameter_schema
from pydantic import ValidationError

from flows import evaluation, form, tasks
from stages.run.params import Params


def declared(key: str) -> Any:
    """What stages.run.params says of a dotted name."""
    kind: Any = Params
    for name in key.split("."):
        section = next(one for one in (kind, *get_args(kind)) if hasattr(one, "model_fields"))  # a section may be null
        field = section.model_fields[name]
        kind = field.annotation
    return field


@pytest.mark.parametrize("name", form.Values.model_fields)
def test_a_field_has_type_and_bounds_of_its_parameter(name: str) -> None:
    field = form.Values.model_fields[name]
    parameter = declared(str(field.title))
    without_null = [kind for kind in get_args(field.annotation) if kind is not type(None)]
    assert parameter.annotation in (without_null[0], without_null[0] | None)
    assert {str(bound) for bound in field.metadata} == {str(bound) for bound in parameter.metadata if "MinLen" not in str(bound)}


def test_filled_fields_become_overrides() -> None:
    assert form.dotted(form.Values(long_tau=0.2, benchmarks=["math500"])) == {
        "rl.long.tau": 0.2,
        "evaluate.benchmarks": ["math500"],
    }
    assert form.dotted(None) == form.dotted(form.Values()) == {}
    with pytest.raises(ValidationError, match="greater than 0"):
        form.Values(long_tau=0.0)


@pytest.mark.parametrize("flow", [tasks.pipeline, tasks.one_stage, evaluation.evaluation], ids=lambda flow: flow.name)
def test_each_parameter_of_a_form_has_help(flow: Any) -> None:
    schema = parameter_schema(flow.fn)
    silent = [name for name, entry in schema.properties.items() if not (entry.get("description") or entry.get("$ref"))]
    assert silent == []
