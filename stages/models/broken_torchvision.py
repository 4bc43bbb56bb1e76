"""Hides a torchvision that does not import, from here on: imported before transformers, which takes any that is installed for one
that works and then cannot be imported itself. It comes about easily: torchvision wants the very build of torch that it was made
with (its wheel on PyPI that of CUDA: "operator torchvision::nms does not exist" beside a CPU build)."""

import importlib.util
import sys


def _reason() -> str:
    if importlib.util.find_spec("torchvision") is None:
        return "torchvision is not installed"
    try:
        import torchvision  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: F401
    except (ImportError, RuntimeError, AttributeError, OSError) as error:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        sys.modules["torchvision"] = None  # type: ignore[assignment]  # as if it were not installed
        return f"torchvision is installed and does not import ({' '.join(str(error).split())[:100]})"
    return ""


WHY_NOT = _reason()
"""Why there is no torchvision; "" where it works."""


def picture_path() -> str:
    """In words: how pictures become pixels here."""
    if WHY_NOT:
        return f"by Pillow and NumPy, for pictures alone, since {WHY_NOT}"
    return "by transformers' complete processors with torchvision"
