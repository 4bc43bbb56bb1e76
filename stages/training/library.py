"""DeepSpeed is imported here, when it is first needed, and without what is not used of it."""

import sys
from typing import Any


def deepspeed() -> Any:
    """DeepSpeed, without the MLflow that its autotuner, unused here, would import for more than a second."""
    hidden = {} if "mlflow" in sys.modules else {"mlflow": None}
    sys.modules.update(hidden)  # type: ignore[arg-type]  # None: its import raises ImportError
    try:
        import deepspeed as found
        import deepspeed.sequence.linear_cross_entropy
    finally:
        for name in hidden:
            del sys.modules[name]
    return found
