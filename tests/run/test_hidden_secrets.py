"""Passwords and keys are taken out of whatever text they stand in; all else stays as it is."""

from pathlib import Path

import pytest
import yaml

from stages.run.params import ParamsError, parsed
from stages.run.secrets import has_password, hidden

PARAMS = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "address, shown",
    [
        ("http://me:word@host/v1", "http://host/v1"),
        ("https://token@host:8080/a/b", "https://host:8080/a/b"),
        ("https://me:w@rd@host/x", "https://host/x"),
        ("postgresql://me:wo/r?d#x@host:5432/db", "postgresql://host:5432/db"),
        ("postgresql+psycopg2://me:word@/db?host=/run", "postgresql+psycopg2:///db?host=/run"),
        ("ssh://me:word@host/path", "ssh://host/path"),
        ("webdavs://me:%70w@host/dvc", "webdavs://host/dvc"),
        ("https://h/x?api_key=word&b=1", "https://h/x?api_key=***&b=1"),
        ("azure://c/x?sv=1&sig=wo%2Frd", "azure://c/x?sv=1&sig=***"),
        ("https://h/x?b=1;X-Amz-Signature=word", "https://h/x?b=1;X-Amz-Signature=***"),
    ],
)
def test_an_address_loses_its_password_wherever_it_stands(address: str, shown: str) -> None:
    assert has_password(address)
    assert hidden(address) == shown
    assert (
        hidden(f"error: cannot reach '{address}' (timeout), see {address}")
        == f"error: cannot reach '{shown}' (timeout), see {shown}"
    )


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:4200/api",
        "http://127.0.0.1:4200/runs/sft@long",
        "https://host/x?a=1&b=2#c@d",
        "sqlite:////home/me@home/mlflow.db",
        "evaluate@merged ended, mail me@host",
        "git@github.com:owner/name.git",
        "s3://bucket/k15",
        "step 3: tokens=12 key=5",
    ],
)
def test_what_holds_none_stays(text: str) -> None:
    assert not has_password(text)
    assert hidden(text) == text


def test_the_values_of_secret_variables_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "planted-key-1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted-key-1-and-more")
    monkeypatch.setenv("HF_TOKEN", "short")
    monkeypatch.setenv("MONKEY_BUSINESS", "planted-word")
    said = "planted-key-1 planted-key-1-and-more short planted-word"
    assert hidden(said) == "*** *** short planted-word"


@pytest.mark.parametrize("section", ["judge", "code_tests", "teacher"])
@pytest.mark.parametrize("address", ["http://me:word@host/v1", "http://host/v1?api_key=word"])
def test_params_refuse_an_address_with_a_password_and_do_not_show_it(section: str, address: str) -> None:
    """DVC writes every value that a stage reads into dvc.lock."""
    tests = {"problems": "p", "model": "m", "inputs": 1, "submissions": 1, "agree": 1, "min_tests": 1, "passing": 1, "seconds": 1.0}
    asked = {"file": None, "model": "m", "temperature": 1.0, "max_tokens": 9, "per_prompt": 1, "endpoint": address}
    changed = {
        "judge": {"judge": {"endpoint": address, "model": "m"}},
        "code_tests": {"code_tests": {"one": {**tests, "endpoint": address}}},
        "teacher": {"warm_up": {**PARAMS["warm_up"], "teacher": asked}},
    }[section]
    with pytest.raises(ParamsError, match="no user, password or key in an address") as refused:
        parsed({**PARAMS, **changed})
    assert "word@" not in str(refused.value)
    assert "=word" not in str(refused.value)
