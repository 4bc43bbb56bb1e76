"""Processors for pictures alone, where torchvision is missing: transformers' own classes with its picture processors on PIL and
NumPy, without the part for videos, which needs torchvision (and, for SmolVLM, num2words)."""

import json
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from stages.models.broken_torchvision import WHY_NOT

# isort: split
import transformers
from transformers import AutoProcessor, ImageProcessingMixin, ProcessorMixin
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING
from transformers.models.auto.tokenization_auto import get_tokenizer_config
from transformers.models.smolvlm import processing_smolvlm
from transformers.utils import IMAGE_PROCESSOR_NAME, VIDEO_PROCESSOR_NAME, cached_file

from stages.data.files import DataError


class PicturesOnly:
    """Mixed into a processor class: what is for videos is neither loaded nor asked for, and its
    configuration is handed on when the processor is saved."""

    video_config: dict[str, Any] | None = None

    @classmethod
    def get_attributes(cls) -> list[str]:
        """Names of the parts: transformers' own, without a video processor."""
        return [name for name in super().get_attributes() if "video" not in name]  # type: ignore[misc]

    @classmethod
    def from_args_and_dict(cls, args: list[Any], processor_dict: dict[str, Any], **options: Any) -> Any:
        """The processor of its parts and its configuration."""
        given = {**processor_dict, "video_processor": None}
        with mock.patch.object(processing_smolvlm, "num2words", str):  # counts frames of videos
            made = super().from_args_and_dict(args, given, **options)  # type: ignore[misc]
        made.video_config = processor_dict.get("video_processor")
        return made

    def apply_chat_template(self, conversation: Any, chat_template: str | None = None, **options: Any) -> Any:
        """As of every processor; SmolVLM's own first asks its video processor how it samples frames."""
        return ProcessorMixin.apply_chat_template(self, conversation, chat_template, **options)

    def to_dict(self) -> dict[str, Any]:
        """What processor_config.json says, so that a machine with torchvision finds the whole."""
        found: dict[str, Any] = super().to_dict()  # type: ignore[misc]
        return found if self.video_config is None else {**found, "video_processor": self.video_config}


def load_any_processor(place: dict[str, Any], config: Any) -> Any:
    """The processor in `place` (where transformers' from_pretrained finds it) of a model of `config`:
    transformers' own, or where torchvision is missing and its class wants videos, for pictures alone."""
    kind = _processor_class(place, config)
    if not WHY_NOT or not any("video" in name for name in kind.get_attributes()):
        return AutoProcessor.from_pretrained(**place)
    processor = _without_videos(kind).from_pretrained(**place)
    if processor.video_config is None:
        processor.video_config = _video_config(place)
    return processor


def _video_config(place: dict[str, Any]) -> dict[str, Any] | None:
    """The configuration of a processor for videos: a file of its own, or that for pictures."""
    for name in (VIDEO_PROCESSOR_NAME, IMAGE_PROCESSOR_NAME):
        where, revision = place["pretrained_model_name_or_path"], place["revision"]
        file = cached_file(where, name, revision=revision, _raise_exceptions_for_missing_entries=False)
        if file is not None:
            found: dict[str, Any] = json.loads(Path(file).read_text(encoding="utf-8"))
            return found
    return None


@cache
def _without_videos(kind: Any) -> Any:
    return type(kind.__name__, (PicturesOnly, kind), {})


def _processor_class(place: dict[str, Any], config: Any) -> Any:
    """The class that the checkpoint's files name, in the order in which AutoProcessor reads them, or else that of its config."""
    for read in (ProcessorMixin.get_processor_dict, ImageProcessingMixin.get_image_processor_dict, _tokenizer_config):
        try:
            found, _ = read(**place)
        except OSError:  # there is no such file
            continue
        if name := found.get("processor_class"):
            if not hasattr(transformers, name):
                raise DataError(
                    f"{place['pretrained_model_name_or_path']}: its processor {name} is none of transformers', and code "
                    "of a checkpoint is never run; choose the checkpoint in transformers' own form"
                )
            return getattr(transformers, name)
    if type(config) in PROCESSOR_MAPPING:
        return PROCESSOR_MAPPING[type(config)]
    raise DataError(f"{place['pretrained_model_name_or_path']}: names no processor for its pictures; add its processor's files")


def _tokenizer_config(**place: Any) -> tuple[dict[str, Any], None]:
    return get_tokenizer_config(**place), None
