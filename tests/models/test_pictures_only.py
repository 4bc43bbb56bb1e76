"""Processors without torchvision, from files as the hub's repositories have them: what they give is what the complete ones give."""

import importlib.util
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import architectures
import pytest
import torch
from PIL import Image
from tiny import ROOT, Tiny

from stages.data.files import DataError
from stages.models.broken_torchvision import WHY_NOT, picture_path
from stages.models.loading import load_processor
from stages.prompts.prompt import Prompt
from stages.prompts.render import Renderer

COMPLETE = os.environ.get("K15_TORCHVISION_PYTHON") or str(ROOT / ".venv-vllm/bin/python")
"""An interpreter whose environment has transformers and a torchvision that works."""
VIDEOS = ("smolvlm", "internvl", "qwen2_vl", "qwen2_5_vl", "qwen3_vl")
"""Families whose complete processors want one for videos."""


@pytest.fixture(scope="module", params=list(architectures.IMAGE_TEXT_MODELS))
def checkpoint(request: pytest.FixtureRequest, tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param) / request.param
    architectures.save(request.param, [problem.question for problem in tiny.problems], folder)
    return folder


def pictured(folder: Path) -> dict[str, list[Any]]:
    """Ids and pixels of a picture of uneven sides, as lists."""
    renderer = Renderer(load_processor(folder), "", 4096)
    picture = Image.radial_gradient("L").resize((90, 52)).convert("RGB")
    found = renderer.picture(renderer.template(Prompt("What is it?", "")), picture)
    return {"ids": list(found.token_ids), **{name: value.tolist() for name, value in found.pixels.items()}}


@pytest.mark.skipif(not WHY_NOT, reason="torchvision works here")
def test_without_torchvision_a_processor_has_no_part_for_videos(checkpoint: Path) -> None:
    processor = load_processor(checkpoint)
    assert not hasattr(processor, "video_processor")
    assert type(processor.image_processor).__name__.endswith("Pil")
    assert processor.image_processor is not None


def test_saved_it_says_what_the_complete_one_needs(checkpoint: Path, tmp_path: Path) -> None:
    """Loaded again it gives the same, and a machine with torchvision finds the configuration of the part for videos."""
    load_processor(checkpoint).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text((checkpoint / "config.json").read_text())
    assert pictured(tmp_path) == pictured(checkpoint)
    written = json.loads((tmp_path / "processor_config.json").read_text())
    assert ("video_processor" in written) == (checkpoint.name in VIDEOS)


def test_a_processor_of_somebody_else_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    load_processor(checkpoint).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text((checkpoint / "config.json").read_text())
    (tmp_path / "processor_config.json").write_text('{"processor_class": "OwnProcessor"}')
    with pytest.raises(DataError, match="its processor OwnProcessor is none of transformers'"):
        load_processor(tmp_path)


def test_a_torchvision_that_does_not_import_is_as_good_as_none(tmp_path: Path) -> None:
    """transformers takes what is installed for what works, and then cannot be imported itself."""
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    program = (
        "import stages.models.loading, stages.models.scratch\n"
        "from stages.models.broken_torchvision import picture_path\n"
        "from transformers.utils import is_torchvision_available\n"
        "print(is_torchvision_available(), picture_path())"
    )
    environ = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    told = "torchvision is installed and does not import (operator torchvision::nms does not exist)"
    assert done.stdout == f"False by Pillow and NumPy, for pictures alone, since {told}\n"


def test_what_is_said_of_this_machine() -> None:
    assert ("torchvision is not installed" in picture_path()) == (importlib.util.find_spec("torchvision") is None)


@cache
def has_torchvision(python: str) -> bool:
    return (
        Path(python).exists()
        and subprocess.run([python, "-c", "import torchvision"], capture_output=True, check=False).returncode == 0
    )


def test_ids_and_pixels_are_those_of_the_complete_processor(checkpoint: Path) -> None:
    """Its pictures on torchvision; the two resize by other code, which rounds to 8 bits."""
    if not has_torchvision(COMPLETE):
        pytest.skip(
            "no environment with a working torchvision; K15_TORCHVISION_PYTHON names the interpreter of one "
            "(pip install torch==2.14.1 torchvision==0.29.1 transformers gguf pydantic pyyaml pytest)"
        )
    program = f"import json, sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_pictures_only as t\n"
    program += "from pathlib import Path\n"
    program += f"assert not t.WHY_NOT, t.WHY_NOT\nprint('FOUND' + json.dumps(t.pictured(Path({str(checkpoint)!r}))))"
    environ = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    done = subprocess.run([COMPLETE, "-c", program], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    theirs = json.loads(done.stdout.split("FOUND")[1])
    ours = pictured(checkpoint)
    assert ours.keys() == theirs.keys()
    assert ours["ids"] == theirs["ids"]
    for name in ours.keys() - {"ids"}:
        left, right = torch.tensor(ours[name]).float(), torch.tensor(theirs[name]).float()
        torch.testing.assert_close(left, right, rtol=0, atol=0.03)
        assert float((left - right).abs().mean()) < 0.004
