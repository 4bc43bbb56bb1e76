"""What .ci/audit makes of pip-audit's findings."""

import importlib.machinery
import importlib.util
from types import ModuleType

import pytest
from imports import PROJECT


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("audit", str(PROJECT / ".ci/audit"))
    spec = importlib.util.spec_from_loader("audit", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


SOUND = {"name": "numpy", "version": "2.0", "vulns": []}
WEAK = {
    "name": "mlflow",
    "version": "3.0",
    "vulns": [{"id": "CVE-1", "fix_versions": ["3.1", "4.0"]}, {"id": "CVE-2", "fix_versions": []}],
}
UNKNOWN = {"name": "torch", "skip_reason": "Dependency not found on PyPI and could not be audited: torch (2.13.0)"}


def test_vulnerabilities_are_named_and_fail(audit: ModuleType) -> None:
    lines, code = audit.told([SOUND, WEAK, UNKNOWN])
    assert code == 1
    assert lines == [
        "mlflow 3.0: CVE-1, mended in 3.1, 4.0",
        "mlflow 3.0: CVE-2, mended in no version yet",
        "audit: 2 of 3 pins were looked up, 2 vulnerabilities",
    ]


def test_sound_pins_pass(audit: ModuleType) -> None:
    assert audit.told([SOUND, UNKNOWN]) == (["audit: 1 of 2 pins were looked up, 0 vulnerabilities"], 0)


def test_pins_that_nothing_is_known_of_are_no_success(audit: ModuleType) -> None:
    assert audit.told([UNKNOWN]) == ([], 0), "main says that there was no data"
    assert audit.told([]) == ([], 0)
