"""Memory of a rank by part, for training and for generating, and the disk of a run.

The coefficients were measured: bytes per weight of each ZeRO stage by the resident memory of a
process that took optimizer steps (DeepSpeed 0.19.8, torch 2.13), bytes per token and layer by the
tensors that autograd keeps (transformers 5.23, Llama, Qwen2, Qwen3).
`tests/flows/test_estimate.py` holds them against real training steps."""

from dataclasses import dataclass, fields

from flows.architecture import Model
from stages.run.params import Hardware

BUCKET = 500_000_000
"""Weights whose gradients DeepSpeed reduces together at most; the engine's BUCKET, whose module
imports torch (a test compares them)."""
GATHERED = 1_000_000_000
"""Weights that ZeRO-3 keeps gathered (stage3_max_live_parameters)."""
BACKWARD = 2.5
"""Tensors of the MLP's width that the backward of a layer holds beside what the forward saved."""
LOGITS = 12
"""Bytes per logit of a chunk: the float32 logit, its logarithm, its exponential."""
CHUNK = 1 << 26
"""Logits of a chunk (stages/training/output_layer.py)."""
DRAWN = 12
"""Bytes that sampling takes per logit: the float32 logit, its probability, its rank."""
SLACK = 1.25
"""Columns of the embedded engine's cache over those in use (stages/rollout/cache.py)."""
PROGRAM = {False: 0.45e9, True: 1.0e9}
"""The process with its libraries before the model: measured on the CPU; on a GPU the context of CUDA and NCCL, ours."""


@dataclass(frozen=True)
class Memory:
    """Bytes of a rank by part."""

    program: int
    weights: int
    gradients: int
    optimizer: int
    """Moments, and float32 master weights where there are some (arXiv 1910.02054, §3.1), as the ZeRO stage spreads them."""
    buffers: int
    """Gradients on their way between ranks, which ZeRO holds to the next backward."""
    step: int
    """What reducing gradients and an optimizer step take on top: float32 gradients and AdamW's intermediate results."""
    kept: int
    """What the forward keeps for the backward: with gradient checkpointing a layer's input of each layer, else all."""
    layer: int
    """What the backward of one layer takes on top."""
    logits: int
    """What the output layer takes on top, in chunks of the vocabulary; its gradient."""
    pictures: int
    """Pixels and what the vision tower keeps, of a micro-batch of pictures."""
    block: int
    """What the backward of one block of the vision tower takes on top."""
    copy: int
    """A second, whole model that generates (RL under ZeRO-3 by the embedded engine)."""
    cache: int
    """The key-value cache of the responses that are generated together, and their logits."""
    engine: int
    """vLLM's share of the GPU: its weights and its cache. It gives this back while the trainer trains."""

    @property
    def states(self) -> int:
        """What a training stage holds whatever a micro-batch has."""
        return self.program + self.weights + self.optimizer

    @property
    def activations(self) -> int:
        """Of a micro-batch, at the fullest moment of its backward: output layer, layers and tower come one after another."""
        return self.kept + self.pictures + max(self.layer, self.logits, self.block)

    @property
    def training(self) -> int:
        """The peak while training: the larger of a micro-batch's backward and of the optimizer step."""
        return self.states + self.gradients + self.copy + self.buffers + max(self.activations, self.step)

    @property
    def generation(self) -> int:
        """The peak while generating in RL, where the trainer's states stay."""
        return self.states + self.copy + self.cache + self.engine

    @property
    def total(self) -> int:
        """The larger of the two."""
        return max(self.training, self.generation)

    def parts(self) -> dict[str, int]:
        """Bytes of each part, those of none left out."""
        return {field.name: count for field in fields(self) if (count := getattr(self, field.name))}


def width_of(hardware: Hardware, gpu: bool) -> int:
    """Bytes of a weight in the forward: 2 for bfloat16, 4 for float32."""
    return 2 if hardware.dtype == "bfloat16" or (hardware.dtype == "auto" and gpu) else 4


def memory_of(model: Model, hardware: Hardware, context: int, gpu: bool, there: int = 0, columns: int | None = None) -> Memory:
    """The memory of a rank. `there` is the memory of its GPU, of which vLLM takes a share; `columns` the tokens of the longest
    prompt with its response (None: the context). `model.weights` must be known."""
    assert model.weights is not None
    weights, width, zero = model.weights, width_of(hardware, gpu), hardware.zero_stage
    generates = hardware.engine == "transformers"
    tokens = max(hardware.micro_batch_tokens, context)  # a sample may fill the context
    saving = hardware.gradient_checkpointing
    layer, block = _layer(model, width), _block(model, width)
    bucket = min(weights, BUCKET) * width
    inputs = model.layers * model.hidden * width

    def shared(count: float, since: int) -> int:
        return int(count / (hardware.processes if zero >= since else 1))

    master = 12 if width == 2 or zero else 8
    return Memory(
        program=int(PROGRAM[gpu]),
        weights=shared(weights * width, 3) + (min(weights, GATHERED) * width if zero == 3 else 0),
        gradients=shared(weights * width, 2),
        optimizer=shared(weights * master, 1),
        buffers=bucket if zero else 0,
        step=shared(_step(model, width, zero, gpu), 1) if zero else max(bucket, int(_step(model, width, zero, gpu))),
        kept=tokens * (inputs if saving else model.layers * layer),
        layer=int(tokens * ((layer if saving else 0) + BACKWARD * width * model.intermediate)),
        logits=_logits(model, tokens, width),
        pictures=_pictures(model, tokens, width, saving),
        block=tokens * block if saving else 0,
        copy=weights * width if zero == 3 and generates else 0,
        cache=_cache(model, hardware, columns or context, width) if generates else 0,
        engine=0 if generates else int(hardware.vllm.memory_share * there),
    )


def _step(model: Model, width: int, zero: int, gpu: bool) -> float:
    """Float32 gradients, below ZeRO-1 only where the forward is in bfloat16; AdamW's intermediate results: none on a GPU, where its
    kernel is fused, on the CPU two of the largest tensor, which is all of a rank's weights from ZeRO-1 on; ZeRO-3's own copies."""
    assert model.weights is not None
    gradients = 4 * model.weights if width == 2 or zero else 0
    largest = model.weights if zero else model.vocabulary * model.hidden
    copies = 4 * model.weights if width == 2 and zero == 3 else 0
    return gradients + copies + (0 if gpu else 8 * largest)


def _layer(model: Model, width: int) -> int:
    """Bytes a token that a layer saves: two norms (input in float32, normed, scaled), queries, keys, values, what attention gives,
    four tensors of the MLP."""
    attention = model.queries + model.keys
    saved = 2 * (4 + 2 * width) * model.hidden + 4 * width * model.intermediate + 2 * width * attention
    return saved + ((4 + width) * attention if model.normed else 0)


def _logits(model: Model, tokens: int, width: int) -> int:
    """A chunk, the states' float32 gradient, and the gradient of the layer's own weights."""
    chunk = LOGITS * min(CHUNK, tokens * model.vocabulary)
    return chunk + tokens * (4 + width) * model.hidden + width * model.vocabulary * model.hidden


def _block(model: Model, width: int) -> int:
    """Bytes a token that a block of the vision tower saves, for the patches that make the token."""
    vision = model.vision
    if vision is None:
        return 0
    each = 2 * (4 + 2 * width) * vision.hidden + 4 * width * vision.intermediate + 4 * width * vision.hidden
    return vision.merged * each


def _pictures(model: Model, tokens: int, width: int, saving: bool) -> int:
    """Of a micro-batch that is nothing but pictures: of each patch three float32 channels of two frames, and the blocks' inputs
    or all that they save."""
    vision = model.vision
    if vision is None:
        return 0
    blocks = vision.layers * (vision.merged * width * vision.hidden if saving else _block(model, width))
    return tokens * (blocks + vision.merged * 4 * 3 * 2 * vision.patch**2)


def _cache(model: Model, hardware: Hardware, columns: int, width: int) -> int:
    rows = hardware.generation_batch
    return int(rows * (SLACK * columns * model.cached * width + DRAWN * model.vocabulary))


def disk_of(model: Model, checkpoints: int, width: int) -> int:
    """Bytes of `checkpoints` models and of the resumable state of one training run, three times:
    two are kept, and the older of them goes when a new one is whole."""
    assert model.weights is not None
    return model.weights * (width * checkpoints + 3 * (14 if width == 2 else 12))
