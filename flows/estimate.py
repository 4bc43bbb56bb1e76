"""Memory of a rank by part, for training and for generating, and the disk of a run.

The coefficients were measured: bytes a weight of each ZeRO stage by the resident memory of a process that took optimizer steps
(DeepSpeed 0.19.8, torch 2.13), bytes a token and layer by the tensors that autograd keeps (transformers 5.23, Llama, Qwen2, Qwen3).
`tests/flows/test_estimate.py` holds them against real training steps."""

from dataclasses import dataclass, fields

from flows.architecture import Model
from stages.run.params import Hardware

BUCKET = 500_000_000
"""Weights whose gradients DeepSpeed reduces together (reduce_bucket_size of its default configuration)."""
GATHERED = 1_000_000_000
"""Weights that ZeRO-3 keeps gathered (stage3_max_live_parameters)."""
BACKWARD = 2.5
"""Tensors of the MLP's width that the backward of a layer holds beside what the forward saved."""
LOGITS = 16
"""Bytes of an entry of the logits: float32 four times, the log-probabilities and their gradients."""
DRAWN = 12
"""Bytes of an entry of the logits from which a token is drawn: float32 logits, probabilities, their order."""
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
    """Gradients on their way between ranks; weights that ZeRO-3 has gathered."""
    step: int
    """What an optimizer step takes on top: float32 gradients and AdamW's intermediate results."""
    checkpoints: int
    """A layer's input for each layer, with gradient checkpointing."""
    layers: int
    """What the forward keeps for the backward: of one layer with gradient checkpointing, else of all."""
    logits: int
    """The output layer's, of every token of a micro-batch."""
    pictures: int
    """The vision tower's and the pixels, of the pictures that a micro-batch can hold."""
    copy: int
    """A second, whole model that generates (RL under ZeRO-3 by the embedded engine)."""
    cache: int
    """Keys and values of the responses generated side by side, and the logits that they are drawn from."""
    engine: int
    """vLLM's share of the GPU: its weights and its cache. It gives this back while the trainer trains."""

    @property
    def states(self) -> int:
        """What a training stage holds whatever a micro-batch has."""
        return self.program + self.weights + self.optimizer

    @property
    def activations(self) -> int:
        """Of a micro-batch."""
        return self.checkpoints + self.layers + self.logits + self.pictures

    @property
    def training(self) -> int:
        """The peak while training: the larger of a micro-batch's backward and of the optimizer step."""
        return self.states + self.gradients + self.copy + max(self.activations + self.buffers, self.step)

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


def memory_of(model: Model, hardware: Hardware, context: int, pixels: int, gpu: bool, there: int = 0) -> Memory:
    """The memory of a rank whose pictures have at most `pixels` pixels; `there` is the memory of its GPU, of which vLLM takes a
    share. `model.weights` must be known."""
    assert model.weights is not None
    weights, width, zero = model.weights, width_of(hardware, gpu), hardware.zero_stage
    generates = hardware.engine == "transformers"
    tokens = max(hardware.micro_batch_tokens, context)  # a sample may fill the context
    kept = tokens * model.layers * model.hidden * width if hardware.gradient_checkpointing else 0

    def shared(count: float, since: int) -> int:
        return int(count / (hardware.processes if zero >= since else 1))

    master = 12 if width == 2 or zero else 8
    return Memory(
        program=int(PROGRAM[gpu]),
        weights=shared(weights * width, 3) + (min(weights, GATHERED) * width if zero == 3 else 0),
        gradients=shared(weights * width, 2),
        optimizer=shared(weights * master, 1),
        buffers=min(weights, BUCKET) * width,
        step=shared(_step(model, width, zero, gpu), 1),
        checkpoints=kept,
        layers=int(tokens * _layers(model, width, hardware.gradient_checkpointing)),
        logits=LOGITS * tokens * model.vocabulary,
        pictures=_pictures(model, tokens, width, hardware.gradient_checkpointing) if pixels else 0,
        copy=weights * width if zero == 3 and generates else 0,
        cache=_cache(model, hardware, context, width) if generates else 0,
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


def _layers(model: Model, width: int, checkpointing: bool) -> float:
    """Bytes a token: two norms (their input in float32, the normed, the scaled), queries, keys, values, four tensors of the MLP."""
    attention = model.queries + model.keys
    saved = 2 * (4 + 2 * width) * model.hidden + 4 * width * model.intermediate + 2 * width * attention
    saved += (4 + width) * attention if model.normed else 0
    return saved * (1 if checkpointing else model.layers) + BACKWARD * width * model.intermediate


def tokens_of_picture(model: Model, pixels: int) -> int:
    """Tokens of the language model that a picture of `pixels` pixels takes, at most; 0 where the model sees none."""
    vision = model.vision
    return -(-pixels // (vision.patch**2 * vision.merged)) if vision else 0


def _pictures(model: Model, tokens: int, width: int, checkpointing: bool) -> int:
    """Of a micro-batch of pictures: of each patch three float32 channels of two frames, and the tower's blocks as `_layers` counts
    them."""
    vision = model.vision
    if vision is None:
        return 0
    block = 2 * (4 + 2 * width) * vision.hidden + 4 * width * vision.intermediate + 4 * width * vision.hidden
    each = block + vision.layers * width * vision.hidden if checkpointing else block * vision.layers
    return int(tokens * vision.merged * (each + 4 * 3 * 2 * vision.patch**2))


def _cache(model: Model, hardware: Hardware, context: int, width: int) -> int:
    rows = hardware.generation_batch
    return int(rows * (SLACK * context * model.cached * width + DRAWN * model.vocabulary))


def disk_of(model: Model, checkpoints: int, width: int) -> int:
    """Bytes of `checkpoints` models and of the resumable state of one training run, twice (the old goes when the new is whole)."""
    assert model.weights is not None
    return model.weights * (width * checkpoints + 2 * (14 if width == 2 else 12))
