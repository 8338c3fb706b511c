"""The example network: a BitNet b1.58 decoder in the arrangement of microsoft 2B-4T.

Seven linears a layer hold ternary weights (W1.58) and read int8 activations (A8):
  weights      gamma = max(mean|W|, 1e-5), codes = clip(round(W / gamma), -1, 1)
  activations  s = 127 / max(max|x|, 1e-5) per token, codes = clip(round(x * s), -128, 127)
  product      y = (x codes . w codes) / s * round8(gamma)
round8 keeps 8 significant bits, so that the scale is the same number in bf16, f16 and
f32 and no export format changes the network. Rounding has the identity as gradient
(straight-through), scales have none. Both kinds of code are exact in bf16, therefore
the matrix products may run in bf16; in float32 they are exact integer sums.
Paper: Ma et al., "The Era of 1-bit LLMs" (2024); sub-norms as in bitnet-b1.58-2B-4T.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

SCALE_FLOOR = 1e-5
QUERY_BLOCK = 128


@dataclass
class Shape:
    vocab_size: int = 4096
    hidden_size: int = 256
    layer_count: int = 8
    head_count: int = 4
    kv_head_count: int = 2
    head_dim: int = 64
    ffn_size: int = 768
    context_length: int = 512
    rope_theta: float = 10000.0
    norm_eps: float = 1e-5


class RoundToCode(torch.autograd.Function):
    """clip(round(x), low, high) forward, identity backward."""

    @staticmethod
    def forward(ctx, x, low, high):
        return x.round().clamp(low, high)

    @staticmethod
    def backward(ctx, grad):
        return grad, None, None


def ternary_codes(weight):
    """Returns (codes in {-1, 0, 1}, scale used in the product)."""
    gamma = weight.detach().abs().mean().clamp(min=SCALE_FLOOR)
    codes = RoundToCode.apply(weight / gamma, -1, 1)
    return codes, gamma.bfloat16().float()


def decoded_codes(weight):
    """The same for an exported tensor, whose values are exactly {-scale, 0, scale}."""
    scale = weight.detach().abs().max()
    return weight / scale, scale


def activation_codes(x):
    """Returns (int8 codes as float, 1 / s) of each token, x [tokens, width]."""
    scale = 127.0 / x.detach().abs().amax(-1, keepdim=True).clamp(min=SCALE_FLOOR)
    return RoundToCode.apply(x * scale, -128, 127), 1.0 / scale


def ternary_linear(x, weights, codes_of, dtype):
    """Applies linears that share the input x [tokens, in]; returns float [tokens, sum of out]."""
    x_codes, x_step = activation_codes(x)
    parts = [codes_of(weight) for weight in weights]
    w_codes = torch.cat([codes.to(dtype) for codes, _ in parts])
    w_scale = torch.cat([scale.expand(codes.shape[0]) for codes, scale in parts])
    return F.linear(x_codes.to(dtype), w_codes).float() * (x_step * w_scale)


def rms_norm(x, weight, eps):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight


def rope_tables(shape, length):
    half = shape.head_dim // 2
    frequency = shape.rope_theta ** (-torch.arange(half).float() / half)
    angle = torch.arange(length).float()[:, None] * frequency
    return angle.cos()[:, None, :], angle.sin()[:, None, :]


def rotate(x, cos, sin):
    """NEOX halves: x [batch, length, heads, head_dim]."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def causal_attention(q, k, v):
    """Plain softmax attention [batch, heads, length, head_dim], a block of queries at a time
    so that most of the future is never computed. On CPU its bf16 products beat the fused
    kernel of PyTorch more than twofold."""
    mixed = []
    for start in range(0, q.shape[2], QUERY_BLOCK):
        end = min(start + QUERY_BLOCK, q.shape[2])
        scores = (q[:, :, start:end] @ k[:, :, :end].transpose(2, 3)).float()
        future = torch.ones(end - start, end, dtype=torch.bool).triu(start + 1)
        weights = (scores * q.shape[3] ** -0.5).masked_fill(future, float("-inf")).softmax(-1)
        mixed.append(weights.to(q.dtype) @ v[:, :, :end])
    return torch.cat(mixed, dim=2)


class Block(nn.Module):
    def __init__(self, shape, codes_of):
        super().__init__()
        self.shape, self.codes_of = shape, codes_of
        hidden, ffn = shape.hidden_size, shape.ffn_size
        attention, kv = shape.head_count * shape.head_dim, shape.kv_head_count * shape.head_dim
        self.attn_norm = nn.Parameter(torch.ones(hidden))
        self.attn_q = nn.Parameter(torch.randn(attention, hidden) * 0.04)
        self.attn_k = nn.Parameter(torch.randn(kv, hidden) * 0.04)
        self.attn_v = nn.Parameter(torch.randn(kv, hidden) * 0.04)
        self.attn_sub_norm = nn.Parameter(torch.ones(attention))
        self.attn_output = nn.Parameter(torch.randn(hidden, attention) * 0.02)
        self.ffn_norm = nn.Parameter(torch.ones(hidden))
        self.ffn_gate = nn.Parameter(torch.randn(ffn, hidden) * 0.04)
        self.ffn_up = nn.Parameter(torch.randn(ffn, hidden) * 0.04)
        self.ffn_sub_norm = nn.Parameter(torch.ones(ffn))
        self.ffn_down = nn.Parameter(torch.randn(hidden, ffn) * 0.02)

    def attention(self, x, rope, batch, dtype):
        s = self.shape
        x = rms_norm(x, self.attn_norm, s.norm_eps)
        qkv = ternary_linear(x, (self.attn_q, self.attn_k, self.attn_v),
                             self.codes_of, dtype)
        heads = qkv.view(batch, -1, s.head_count + 2 * s.kv_head_count, s.head_dim)
        q, k, v = heads.split([s.head_count, s.kv_head_count, s.kv_head_count], dim=2)
        repeat = s.head_count // s.kv_head_count
        q = rotate(q, *rope).to(dtype).transpose(1, 2)
        k = rotate(k, *rope).to(dtype).repeat_interleave(repeat, 2).transpose(1, 2)
        v = v.to(dtype).repeat_interleave(repeat, 2).transpose(1, 2)
        mixed = causal_attention(q, k, v)
        mixed = mixed.transpose(1, 2).reshape(x.shape[0], -1).float()
        return ternary_linear(rms_norm(mixed, self.attn_sub_norm, s.norm_eps),
                              (self.attn_output,), self.codes_of, dtype)

    def feed_forward(self, x, dtype):
        eps = self.shape.norm_eps
        x = rms_norm(x, self.ffn_norm, eps)
        gate_up = ternary_linear(x, (self.ffn_gate, self.ffn_up), self.codes_of, dtype)
        gate, up = gate_up.chunk(2, dim=-1)
        inner = rms_norm(gate.relu().square() * up, self.ffn_sub_norm, eps)
        return ternary_linear(inner, (self.ffn_down,), self.codes_of, dtype)


def drop(x, threshold, noise):
    """Dropout by ready random bytes: their generation inside a compiled CPU graph is slow."""
    if noise is None:
        return x
    return x * (noise >= threshold) * (256 / (256 - threshold))


class Network(nn.Module):
    def __init__(self, shape, codes_of=ternary_codes):
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Parameter(torch.randn(shape.vocab_size, shape.hidden_size) * 0.02)
        self.blocks = nn.ModuleList(Block(shape, codes_of) for _ in range(shape.layer_count))
        self.output_norm = nn.Parameter(torch.ones(shape.hidden_size))

    def forward(self, tokens, dtype=torch.float32, threshold=0, noise=None):
        """tokens [batch, length] -> logits [batch * length, vocab] in dtype.

        noise: bytes [2 * layers, tokens, hidden]; those below threshold drop a block's output.
        """
        batch, length = tokens.shape
        rope = rope_tables(self.shape, length)
        x = F.embedding(tokens.reshape(-1), self.token_embd)
        for i, block in enumerate(self.blocks):
            first, second = (None, None) if noise is None else noise[2 * i:2 * i + 2]
            x = x + drop(block.attention(x, rope, batch, dtype), threshold, first)
            x = x + drop(block.feed_forward(x, dtype), threshold, second)
        x = rms_norm(x, self.output_norm, self.shape.norm_eps)
        return F.linear(x.to(dtype), self.token_embd.to(dtype))

    def loss(self, tokens, targets, dtype=torch.float32, threshold=0, noise=None):
        """Mean cross entropy in nats a token."""
        logits = self(tokens, dtype, threshold, noise).float()
        return F.cross_entropy(logits, targets.reshape(-1))

    def linears(self):
        """The ternary weights, name -> parameter, in the order of the GGUF names."""
        names = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
        return {f"blk.{i}.{name}": getattr(block, name)
                for i, block in enumerate(self.blocks) for name in names}
