"""GGUF files as checkpoints: quantised or plain weights with their tokenizer in one file.

transformers reads them (https://huggingface.co/docs/transformers/gguf) and makes ordinary weights of
them. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md."""

from pathlib import Path
from typing import Any

from stages.data.files import DataError

SUFFIX, MAGIC = ".gguf", b"GGUF"
UNROUNDED = ("ALL_F32", "F16", "BF16")
"""Types of weights that are as the model's makers published them."""
ENDS = ("tokenizer.ggml.eot_token_id", "tokenizer.ggml.eos_token_id")
"""Where a file names the token that ends a turn and the one that ends a text; often they are one."""


def is_gguf(source: Path | str) -> bool:
    """Whether `source` names a GGUF file."""
    return str(source).endswith(SUFFIX)


def checked_gguf(file: Path) -> Path:
    """`file`, if it is one. DataError where it is missing or begins like something else."""
    if not file.is_file():
        raise DataError(f"{file}: no such file; correct model.source")
    with file.open("rb") as opened:
        begins = opened.read(len(MAGIC))
    if begins != MAGIC:
        raise DataError(f"{file}: begins with {begins!r} where a GGUF file has {MAGIC!r}; get the file again")
    return file


def gguf_ends(file: Path) -> list[int]:
    """Ids of the tokens that end a response, that of a turn first. DataError where the file names none."""
    from gguf import GGUFReader

    fields = GGUFReader(file).fields
    ends: list[Any] = [fields[name].contents() for name in ENDS if name in fields]
    if not ends:
        raise DataError(f"{file}: names neither {' nor '.join(ENDS)}; choose a file that says what ends a response")
    return list(dict.fromkeys(map(int, ends)))


def stored_as(file: Path) -> str | None:
    """The type of most of the file's weights ("Q4_1"); None for weights that were not rounded to less
    than 16 bits, and where the file does not say."""
    from gguf import GGUFReader, LlamaFileType

    field = GGUFReader(file).fields.get("general.file_type")
    if field is None:
        return None
    kind = LlamaFileType(int(field.contents())).name.removeprefix("MOSTLY_")
    return None if kind in UNROUNDED else kind
