"""A lean Llama for training on small machines; its parameters carry the names of transformers' Llama.

Why not transformers' own module: at these sizes its overhead is as large as the work. Attention is written out, since
the fused CPU kernel's backward pass in bf16 takes 40 % of a step. Parity with `LlamaForCausalLM` is a test.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from transformers import LlamaConfig


class Attention(nn.Module):
    def __init__(self, hidden: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(hidden, hidden, bias=False) for _ in range(4))

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        rows, length, hidden = x.shape
        q, k, v = (
            project(x).view(rows, length, self.num_heads, -1).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = _rotate(q, *rotation) * q.shape[-1] ** -0.5, _rotate(k, *rotation)
        weights = (q @ k.transpose(-1, -2) + mask).softmax(-1)
        return self.o_proj((weights @ v).transpose(1, 2).reshape(rows, length, hidden))  # type: ignore[no-any-return]


class Mlp(nn.Module):
    def __init__(self, hidden: int, intermediate: int) -> None:
        super().__init__()
        self.gate_proj, self.up_proj = (nn.Linear(hidden, intermediate, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(intermediate, hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))  # type: ignore[no-any-return]


class Layer(nn.Module):
    def __init__(self, config: "LlamaConfig") -> None:
        super().__init__()
        self.self_attn = Attention(config.hidden_size, config.num_attention_heads)
        self.mlp = Mlp(config.hidden_size, config.intermediate_size)
        self.input_layernorm, self.post_attention_layernorm = (
            nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps) for _ in range(2)
        )

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), rotation, mask)
        return x + self.mlp(self.post_attention_layernorm(x))  # type: ignore[no-any-return]


class Trunk(nn.Module):
    """Embedding, layers and final norm: token ids (rows, length) -> hidden states (rows, length, hidden)."""

    def __init__(self, config: "LlamaConfig") -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        head_size = config.hidden_size // config.num_attention_heads
        theta = config.rope_parameters["rope_theta"]
        inverse = 1.0 / theta ** (torch.arange(0, head_size, 2).float() / head_size)
        angles = torch.outer(torch.arange(config.max_position_embeddings).float(), inverse).repeat(1, 2)
        self.cos: Tensor
        self.sin: Tensor
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, token_ids: Tensor, positions: Tensor, episode_numbers: Tensor) -> Tensor:
        x = self.embed_tokens(token_ids)
        dtype = torch.bfloat16 if torch.is_autocast_enabled(x.device.type) else x.dtype
        cos, sin = (table[positions][:, None].to(dtype) for table in (self.cos, self.sin))
        mask = _episode_mask(episode_numbers, dtype)
        for layer in self.layers:
            x = layer(x, (cos, sin), mask)
        return self.norm(x)  # type: ignore[no-any-return]


class CausalModel(nn.Module):
    """Trunk with a head tied to the embedding; `forward` gives the mean loss over the labelled positions."""

    def __init__(self, config: "LlamaConfig") -> None:
        super().__init__()
        self.model = Trunk(config)
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, token_ids: Tensor, labels: Tensor, positions: Tensor, episode_numbers: Tensor) -> Tensor:
        hidden = self.model(token_ids, positions, episode_numbers).flatten(0, 1)
        labels = labels.flatten()
        labelled = (labels >= 0).nonzero().squeeze(1)
        logits = hidden[labelled] @ self.model.embed_tokens.weight.t().to(hidden.dtype)
        return functional.cross_entropy(logits.float(), labels[labelled])


class RewardNetwork(nn.Module):
    """Trunk with a linear head of five outputs; `forward` gives the loss over the labelled positions.

    Every token of a response bears a target, not only the last: is the answer right *so far*? That says at which
    token it went wrong and makes far more of each pair. Beside that the trunk goes on learning which token would come
    next in the right answer: to see an error it must know what had to stand there, and without this it forgets what
    the teacher knew. What counts at inference is the last token's output; the language-model head is not saved.
    """

    def __init__(self, config: "LlamaConfig", num_outputs: int = 5) -> None:
        super().__init__()
        self.model = Trunk(config)
        self.score = nn.Linear(config.hidden_size, num_outputs, bias=False)
        nn.init.zeros_(self.score.weight)

    def forward(self, token_ids: Tensor, labels: Tensor, positions: Tensor, episode_numbers: Tensor) -> Tensor:
        """labels (rows, length, outputs + 1): targets from 0 to 4, last the right next token; negative: no loss."""
        hidden = self.model(token_ids, positions, episode_numbers).flatten(0, 1)
        targets, next_tokens = labels.flatten(0, 1)[:, :-1], labels.flatten(0, 1)[:, -1].long()
        graded = (targets >= 0).any(-1).nonzero().squeeze(1)
        errors: Tensor = (self.score(hidden[graded]).float() - targets[graded]) ** 2
        continued = (next_tokens >= 0).nonzero().squeeze(1)
        logits = hidden[continued] @ self.model.embed_tokens.weight.t().to(hidden.dtype)
        language_loss = functional.cross_entropy(logits.float(), next_tokens[continued])
        return errors[targets[graded] >= 0].mean() + language_loss


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    left, right = x.chunk(2, -1)
    return x * cos + torch.cat((-right, left), -1) * sin


def _episode_mask(episode_numbers: Tensor, dtype: torch.dtype) -> Tensor:
    """Additive mask (rows, 1, length, length): a token sees itself and what came before it in its own episode."""
    same = episode_numbers[:, :, None] == episode_numbers[:, None, :]
    seen = same & torch.ones_like(same[0]).tril()
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, -1e9)[:, None]


def load_trunk_state(model: nn.Module, state: dict[str, Any]) -> None:
    """Take over the weights of a transformers Llama folder that both have."""
    missing, _ = model.load_state_dict({k: v.float() for k, v in state.items()}, strict=False)
    if any(name.startswith("model.") for name in missing):
        raise KeyError(f"weights missing: {missing}")
