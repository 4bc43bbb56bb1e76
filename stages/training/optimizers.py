"""What DeepSpeed steps: AdamW for all weights, or Muon for the matrices inside the layers and AdamW for the rest."""

from collections import defaultdict
from typing import Any

import torch
from torch import nn

BETAS = (0.9, 0.95)


def adamw(module: nn.Module) -> torch.optim.Optimizer:
    """AdamW (weight decay 0); the learning rate is set by each step. On a GPU by torch's fused kernel: the one that it takes of
    itself there makes a temporary float32 copy of all weights."""
    trained = [p for p in module.parameters() if p.requires_grad]
    fused = True if all(p.is_cuda for p in trained) else None
    return torch.optim.AdamW(trained, lr=0.0, betas=BETAS, weight_decay=0.0, fused=fused)


def muon(module: nn.Module, ratio: float) -> torch.optim.Optimizer:
    """Muon (https://kellerjordan.github.io/posts/muon, arXiv 2502.16982): the matrices inside the layers move by `ratio` times the
    learning rate of the rest, which is AdamW's: embeddings, convolution, gains. For ZeRO-0 only: it wants whole matrices."""
    outside = {id(layer.weight) for layer in module.modules() if isinstance(layer, nn.Embedding)}
    trained = [p for p in module.parameters() if p.requires_grad]
    inside = [p for p in trained if p.ndim == 2 and id(p) not in outside]
    chosen = {id(p) for p in inside}
    rest = [p for p in trained if id(p) not in chosen]
    return MuonAndAdamW([{"params": inside, "muon": True, "rate": ratio}, {"params": rest, "muon": False}], lr=0.0, betas=BETAS)


class MuonAndAdamW(torch.optim.AdamW):
    """AdamW without weight decay, and Muon in the groups marked `muon`. DeepSpeed's update is taken for all matrices of one shape
    at once: one by one, as its own optimizer and torch's take them, small ones cost twice the time."""

    def __init__(self, groups: list[dict[str, Any]], lr: float, betas: tuple[float, float]) -> None:
        super().__init__(groups, lr=lr, betas=betas, weight_decay=0.0)
        torch.compiler.set_stance("force_eager")  # DeepSpeed would have its few small products compiled for a minute
        from deepspeed.runtime.zero.muon.original_muon import muon_update

        self._update = muon_update

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            if group["muon"]:
                alike = defaultdict(list)
                for matrix in group["params"]:
                    if matrix.grad is not None:
                        alike[matrix.shape].append(matrix)
                for matrices in alike.values():
                    self._move(matrices, group["lr"])
        return super().step(closure)

    def _move(self, matrices: list[nn.Parameter], rate: float) -> None:
        """Muon's step for matrices of one shape; AdamW, which skips weights without gradient, then leaves them alone."""
        for matrix in matrices:  # AdamW reads the step of every state that it loads
            self.state[matrix] = self.state[matrix] or {"step": torch.zeros(()), "momentum_buffer": torch.zeros_like(matrix)}
        kept = [self.state[matrix]["momentum_buffer"] for matrix in matrices]
        momenta = torch.stack(kept)
        gradients = torch.stack([matrix.grad for matrix in matrices if matrix.grad is not None])
        updates = self._update(gradients, momenta, ns_method="standard", is_expert_group=True)
        torch._foreach_copy_(kept, [*momenta])
        torch._foreach_add_([*matrices], [*updates], alpha=-rate)
        for matrix in matrices:
            matrix.grad = None
