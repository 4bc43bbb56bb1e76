"""What DeepSpeed steps: AdamW for all weights, or Muon for the matrices inside the layers and AdamW for the rest."""

import torch
from torch import nn

BETAS = (0.9, 0.95)


def adamw(module: nn.Module) -> torch.optim.Optimizer:
    """AdamW (weight decay 0); the learning rate is set by each step."""
    return torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=0.0, betas=BETAS, weight_decay=0.0)


def muon(module: nn.Module, ratio: float) -> torch.optim.Optimizer:
    """Muon (https://kellerjordan.github.io/posts/muon, arXiv 2502.16982) by DeepSpeed's class: the matrices inside the layers move
    by `ratio` times the learning rate of the rest, which is AdamW's: embeddings, convolution, gains. For ZeRO-0 only: above it
    DeepSpeed 0.19.8 clips what Muon has made of the gradient, and hardly anything moves."""
    torch.compiler.set_stance("force_eager")  # its few small products would be compiled for a minute
    from deepspeed.runtime.zero.muon.muon_optimizer import MuonWithAuxAdam

    outside = {id(layer.weight) for layer in module.modules() if isinstance(layer, nn.Embedding)}
    trained = [p for p in module.parameters() if p.requires_grad]
    inside = [p for p in trained if p.ndim == 2 and id(p) not in outside]
    chosen = {id(p) for p in inside}
    matrices = {"params": inside, "use_muon": True, "lr": 0.0, "ns_method": "standard", "rate": ratio}
    rest = {"params": [p for p in trained if id(p) not in chosen], "use_muon": False, "lr": 0.0, "betas": BETAS, "eps": 1e-8}
    optimizer: torch.optim.Optimizer = MuonWithAuxAdam([matrices, rest])
    return optimizer
