#!/usr/bin/env python3
"""Makes tests/data/models: tiny random checkpoints and the logits that transformers gives for them.

Per case a Hugging Face folder (config.json, model.safetensors) and `golden[.VARIANT].bin`:
int32 n, int32 vocab, int32 ids[n], float32 logits[n][vocab]; variants of one case share its
weights and have `config.VARIANT.json`. Some cases also stand as GGUF files written with PyPI
gguf, q and k permuted for the llama class as llama.cpp's converter does. `codes.bin` of the
`bitnet` case: per linear (in order of execution) int32 width and int8 codes[n][width].

The reference runs in float32 on the CPU, torch.compile off. The 1bitLLM arrangement is not in
transformers: its logits come from the float64 numpy program in this file.

Weights are drawn wide enough that every trait (angles, norms, activation, scale) moves the logits
by far more than the tolerances, and stored in bf16 or f16 to keep the files small; the reference
sees the rounded values.

Usage: make_models.py OUT_DIR     (torch, transformers 5.23, safetensors, gguf 0.19, numpy)
"""
import json
import os
import pathlib
import shutil
import struct
import sys

os.environ["TORCHDYNAMO_DISABLE"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

import gguf
import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from transformers import BitNetConfig, LlamaConfig, Qwen3Config
from transformers.integrations.bitnet import AutoBitLinear, BitLinear, pack_weights

torch.set_num_threads(1)
VOCAB = 96
LENGTH = 40  # positions of a golden run, beyond the `original` 32 of the scaled variants


def token_ids(vocab, length=LENGTH, seed=5):
    return np.random.default_rng(seed).integers(0, vocab, length).astype(np.int32)


def random_state(model, seed, dtype, masters_scale=1.0):
    """Random values for every parameter of a model, rounded to `dtype`."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, parameter in model.state_dict().items():
        shape = parameter.shape
        noise = torch.randn(shape, generator=generator)
        if name.endswith("norm.weight") or name.endswith("layernorm.weight"):
            value = 1.0 + 0.3 * noise
        elif name.endswith(".bias"):
            value = 0.5 * noise
        elif "embed_tokens" in name or "lm_head" in name:
            value = noise if "embed" in name else noise / shape[1] ** 0.5
        else:
            gain = 2.0 if ("q_proj" in name or "k_proj" in name) else 1.0
            value = masters_scale * gain * noise / shape[1] ** 0.5
        state[name] = value.to(dtype)
    return state


def write_golden(path, ids, logits):
    logits = np.ascontiguousarray(logits, dtype=np.float32)
    assert np.isfinite(logits).all() and logits.shape[0] == len(ids)
    with open(path, "wb") as out:
        out.write(struct.pack("<ii", *logits.shape))
        out.write(np.asarray(ids, dtype=np.int32).tobytes())
        out.write(logits.tobytes())


def save_folder(folder, config, state, architecture, quantization=None):
    folder.mkdir(parents=True, exist_ok=True)
    config.architectures = [architecture]
    text = config.to_dict()
    text.pop("transformers_version", None)
    if quantization:
        text["quantization_config"] = quantization
    (folder / "config.json").write_text(json.dumps(text, indent=1, sort_keys=True) + "\n")
    tied = config.tie_word_embeddings
    tensors = {k: v.contiguous() for k, v in state.items() if not (tied and k == "lm_head.weight")}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)


def load(folder):
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager")
    for tensor in [*model.parameters(), *model.buffers()]:
        if tensor.is_floating_point():  # quantised models keep the file's type otherwise
            tensor.data = tensor.data.float()
    for module in model.modules():
        if isinstance(module, BitLinear):
            module.dtype = torch.float32  # what its product is computed in
    return model.eval()


def run(model, ids):
    with torch.no_grad():
        tokens = torch.tensor(np.asarray(ids)[None], dtype=torch.long)
        return model(tokens).logits[0].float().numpy()


# --- GGUF forms -------------------------------------------------------------------------------

HF_TO_GGUF = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm", "self_attn.attn_sub_norm": "attn_sub_norm",
    "self_attn.inner_attn_ln": "attn_sub_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "mlp.ffn_sub_norm": "ffn_sub_norm",
    "mlp.ffn_layernorm": "ffn_sub_norm",
}


def gguf_name(name):
    module, suffix = name.rsplit(".", 1)
    if module.startswith("model.layers."):
        layer, part = module.removeprefix("model.layers.").split(".", 1)
        return f"blk.{layer}.{HF_TO_GGUF[part]}.{suffix}"
    return f"{HF_TO_GGUF[module]}.{suffix}"


def permute(values, heads):
    """llama.cpp's LlamaModel.permute: half -> interleaved rows per head."""
    return (values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
            .swapaxes(1, 2).reshape(values.shape))


GGUF_TYPE = {torch.float32: gguf.GGMLQuantizationType.F32,
             torch.float16: gguf.GGMLQuantizationType.F16,
             torch.bfloat16: gguf.GGMLQuantizationType.BF16}


def write_gguf(path, arch, config, state, types=None, extra=None, permuted=False):
    """`types` maps a name suffix to a quantisation type; default: as the state's dtype."""
    writer = gguf.GGUFWriter(path, arch)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    for name, values in (extra or {}).items():
        writer.add_tensor(name, values)
    for name, tensor in state.items():
        if config.tie_word_embeddings and name == "lm_head.weight":
            continue
        values = tensor.float().numpy()
        if permuted and ".q_proj." in name:
            values = permute(values, config.num_attention_heads)
        if permuted and ".k_proj." in name:
            values = permute(values, config.num_key_value_heads)
        target = gguf_name(name)
        kind = GGUF_TYPE[tensor.dtype]
        for suffix, chosen in (types or {}).items():
            if target.endswith(suffix):
                kind = chosen
        if values.ndim == 1:
            kind = gguf.GGMLQuantizationType.F32
        if kind == gguf.GGMLQuantizationType.F32:
            writer.add_tensor(target, values)
        else:
            writer.add_tensor(target, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


# --- llama and qwen3 --------------------------------------------------------------------------

ROPE_VARIANTS = {
    "linear": {"rope_type": "linear", "factor": 2.5},
    "dynamic": {"rope_type": "dynamic", "factor": 3.0},
    "llama3": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
               "high_freq_factor": 4.0,
               "original_max_position_embeddings": 32},
    "yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32},
    "yarn_given": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096,
                   "beta_fast": 8.0, "beta_slow": 2.0, "truncate": False, "mscale": 0.7,
                   "mscale_all_dim": 1.3},
    "longrope": {"rope_type": "longrope", "original_max_position_embeddings": 32,
                 "short_factor": [1.0, 1.1, 1.2, 1.3, 1.5, 1.7, 2.0, 2.4],
                 "long_factor": [1.0, 1.5, 2.2, 3.5, 5.0, 7.0, 9.0, 12.0]},
}


def make_llama(out):
    base = dict(vocab_size=VOCAB, hidden_size=48, intermediate_size=52, num_hidden_layers=2,
                num_attention_heads=3, num_key_value_heads=1, max_position_embeddings=64,
                rms_norm_eps=1e-3, tie_word_embeddings=False)
    folder = out / "llama"
    config = LlamaConfig(**base, rope_parameters={"rope_type": "default", "rope_theta": 1e4})
    state = random_state(transformers.LlamaForCausalLM(config), 1, torch.bfloat16)
    save_folder(folder, config, state, "LlamaForCausalLM")
    ids = token_ids(VOCAB)
    write_golden(folder / "golden.bin", ids, run(load(folder), ids))
    write_gguf(folder / "model.gguf", "llama", config, state, permuted=True)
    for name, parameters in ROPE_VARIANTS.items():
        changed = dict(base)
        if name == "dynamic":
            changed["max_position_embeddings"] = 32
        variant = LlamaConfig(**changed, rope_parameters={"rope_theta": 1e4, **parameters})
        scratch = out / "scratch"
        save_folder(scratch, variant, state, "LlamaForCausalLM")
        shutil.copy(scratch / "config.json", folder / f"config.{name}.json")
        write_golden(folder / f"golden.{name}.bin", ids, run(load(scratch), ids))
        if name == "longrope":  # within the original context the short factors rule
            short = token_ids(VOCAB, 24)
            write_golden(folder / "golden.longrope_short.bin", short, run(load(scratch), short))
        if name == "llama3":  # GGUF carries llama3 scaling as a tensor of divisors
            model = load(scratch)
            plain = 1.0 / (1e4 ** (np.arange(0, 16, 2) / 16))
            divisors = (plain / model.model.rotary_emb.inv_freq.numpy()).astype(np.float32)
            # The factors alone: their test adds them to model.gguf in memory.
            (folder / "rope_freqs.bin").write_bytes(divisors.tobytes())
        shutil.rmtree(scratch)


def make_llama_bias(out):
    folder = out / "llama_bias"
    config = LlamaConfig(vocab_size=VOCAB, hidden_size=40, intermediate_size=44,
                         num_hidden_layers=2,
                         num_attention_heads=2, num_key_value_heads=2, head_dim=24,
                         max_position_embeddings=64, rms_norm_eps=1e-5, tie_word_embeddings=True,
                         attention_bias=True, mlp_bias=True, hidden_act="gelu_pytorch_tanh",
                         rope_parameters={"rope_type": "default", "rope_theta": 5e3})
    state = random_state(transformers.LlamaForCausalLM(config), 2, torch.float16)
    for name in state:  # so that the two GELU forms, 5e-4 apart, can be told apart
        if name.endswith("down_proj.weight"):
            state[name] = state[name] * 8
    save_folder(folder, config, state, "LlamaForCausalLM")
    ids = token_ids(VOCAB)
    write_golden(folder / "golden.bin", ids, run(load(folder), ids))
    silu = LlamaConfig(**{**config.to_dict(), "hidden_act": "silu"})  # all that GGUF can say
    scratch = out / "scratch"
    save_folder(scratch, silu, state, "LlamaForCausalLM")
    shutil.copy(scratch / "config.json", folder / "config.silu.json")
    write_golden(folder / "golden.silu.bin", ids, run(load(scratch), ids))
    shutil.rmtree(scratch)
    write_gguf(folder / "model.gguf", "llama", config, state, permuted=True)


def make_qwen3(out):
    folder = out / "qwen3"
    config = Qwen3Config(vocab_size=VOCAB, hidden_size=40, intermediate_size=60,
                         num_hidden_layers=2,
                         num_attention_heads=4, num_key_value_heads=2, head_dim=12,
                         max_position_embeddings=64, rms_norm_eps=1e-4, tie_word_embeddings=True,
                         rope_parameters={"rope_type": "default", "rope_theta": 1e6})
    state = random_state(transformers.Qwen3ForCausalLM(config), 3, torch.bfloat16)
    save_folder(folder, config, state, "Qwen3ForCausalLM")
    ids = token_ids(VOCAB)
    write_golden(folder / "golden.bin", ids, run(load(folder), ids))
    write_gguf(folder / "model.gguf", "qwen3", config, state)


# --- the BitNet family ------------------------------------------------------------------------

TERNARY = ("q_proj.weight", "k_proj.weight", "v_proj.weight", "o_proj.weight", "gate_proj.weight",
           "up_proj.weight", "down_proj.weight")


def quantise(master):
    """The reference's rule: codes in {-1, 0, 1} and the scale mean|W|."""
    scale = master.float().abs().mean().clamp(min=1e-5)
    return (master.float() / scale).round().clamp(-1, 1), scale


def packed_state(state, divide, scale_dtype=torch.float32):
    packed = {}
    for name, tensor in state.items():
        if name.endswith(TERNARY):
            codes, scale = quantise(tensor)
            packed[name] = pack_weights(codes.clone())
            value = (1.0 / scale if divide else scale).reshape(1).to(scale_dtype)
            packed[name.removesuffix("weight") + "weight_scale"] = value
        else:
            packed[name] = tensor
    return packed


def record_codes(model, ids, path):
    """int8 codes of every ternary linear's input, in order of execution."""
    blocks = []

    def hook(_module, inputs):
        x = inputs[0][0].float()
        scale = 127 / x.abs().max(dim=-1, keepdim=True).values.clamp(min=1e-5)
        codes = (x * scale).round().clamp(-128, 127).to(torch.int8).numpy()
        blocks.append(struct.pack("<i", codes.shape[1]) + codes.tobytes())

    hooks = [m.register_forward_pre_hook(hook) for m in model.modules()
             if isinstance(m, AutoBitLinear)]
    run(model, ids)
    for handle in hooks:
        handle.remove()
    path.write_bytes(b"".join(blocks))


def bitnet_config(**changes):
    values = dict(vocab_size=VOCAB, hidden_size=64, intermediate_size=68, num_hidden_layers=2,
                  num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
                  rms_norm_eps=1e-5, tie_word_embeddings=True, hidden_act="relu2",
                  rope_parameters={"rope_type": "default", "rope_theta": 5e5})
    return BitNetConfig(**{**values, **changes})


def make_bitnet(out):
    """The 2B-4T arrangement: bf16 masters (online), the same packed (offline), f32 masters."""
    ids = token_ids(VOCAB)
    online = {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "online"}
    offline = {**online, "quantization_mode": "offline"}
    config = bitnet_config()
    state = random_state(transformers.BitNetForCausalLM(config), 4, torch.bfloat16)
    folder = out / "bitnet"
    save_folder(folder, config, state, "BitNetForCausalLM", online)
    model = load(folder)
    write_golden(folder / "golden.bin", ids, run(model, ids))
    record_codes(model, ids, folder / "codes.bin")
    write_gguf(folder / "model.gguf", "bitnet-b1.58", config, state)

    packed = out / "bitnet_packed"
    save_folder(packed, config, packed_state(state, divide=False), "BitNetForCausalLM", offline)
    write_golden(packed / "golden.bin", ids, run(load(packed), ids))

    untied = bitnet_config(tie_word_embeddings=False, hidden_size=48, num_attention_heads=3,
                           num_key_value_heads=1, num_hidden_layers=1, intermediate_size=44)
    state = random_state(transformers.BitNetForCausalLM(untied), 5, torch.float32)
    folder = out / "bitnet_f32"
    save_folder(folder, untied, state, "BitNetForCausalLM", online)
    write_golden(folder / "golden.bin", ids, run(load(folder), ids))


def make_llama_ternary(out):
    """LlamaForCausalLM + quantization_config: HF1BitLLM (linear_class absent) and Falcon-E."""
    ids = token_ids(VOCAB)
    base = dict(vocab_size=VOCAB, hidden_size=64, intermediate_size=60, num_hidden_layers=2,
                max_position_embeddings=64, rms_norm_eps=1e-5, tie_word_embeddings=False,
                rope_parameters={"rope_type": "default", "rope_theta": 5e5})
    cases = {
        "hf1bitllm": (dict(num_attention_heads=4, num_key_value_heads=2),
                      {"quant_method": "bitnet", "modules_to_not_convert": None}),
        "falcon_e": (dict(num_attention_heads=2, num_key_value_heads=2, head_dim=24),
                     {"quant_method": "bitnet", "linear_class": "bitlinear",
                      "quantization_mode": "offline", "modules_to_not_convert": ["lm_head"]}),
    }
    # Seeds for which no int8 code lies so near a tie that another order of float additions turns
    # it (one turned code moves these small logits by some 5e-3 of their range).
    for seed, (name, (changes, quantization)) in zip((10, 12), cases.items()):
        config = LlamaConfig(**{**base, **changes})
        state = random_state(transformers.LlamaForCausalLM(config), seed, torch.bfloat16, 2.0)
        folder = out / name
        save_folder(folder, config, packed_state(state, True, torch.bfloat16), "LlamaForCausalLM",
                    quantization)
        write_golden(folder / "golden.bin", ids, run(load(folder), ids))


def make_bitnet_256(out):
    """Widths of 256 for the block codecs: packed folder, TQ1_0 and TQ2_0, Q8_0 embedding."""
    ids = token_ids(40, 32)
    config = bitnet_config(vocab_size=40, hidden_size=256, intermediate_size=256,
                           num_hidden_layers=1,
                           num_attention_heads=4, num_key_value_heads=1)
    state = random_state(transformers.BitNetForCausalLM(config), 6, torch.float32)
    q8 = gguf.GGMLQuantizationType.Q8_0
    for name, tensor in state.items():
        if name.endswith(TERNARY):  # scale exact in f16, as the block codecs store it
            codes, scale = quantise(tensor)
            state[name] = codes * scale.to(torch.float16).float()
        if "embed" in name:
            blocks = gguf.quants.quantize(tensor.numpy(), q8)
            state[name] = torch.from_numpy(gguf.quants.dequantize(blocks, q8).astype(np.float32))
    packed = {}
    for name, tensor in state.items():
        if name.endswith(TERNARY):
            scale = tensor.abs().max()
            packed[name] = pack_weights((tensor / scale).round().clone())
            packed[name.removesuffix("weight") + "weight_scale"] = scale.reshape(1)
        else:
            packed[name] = tensor
    folder = out / "bitnet_256"
    save_folder(folder, config, packed, "BitNetForCausalLM",
                {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "offline"})
    write_golden(folder / "golden.bin", ids, run(load(folder), ids))
    linears = ["attn_q.weight", "attn_k.weight", "attn_v.weight", "attn_output.weight",
               "ffn_gate.weight", "ffn_up.weight", "ffn_down.weight"]
    for kind in (gguf.GGMLQuantizationType.TQ1_0, gguf.GGMLQuantizationType.TQ2_0):
        write_gguf(folder / f"{kind.name}.gguf", "bitnet-b1.58", config, state,
                   types={"token_embd.weight": q8, **{name: kind for name in linears}})


# --- 1bitLLM: an independent float64 program --------------------------------------------------

def rms(x, weight, eps):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * weight


def bit_linear(x, master):
    mean = max(np.abs(master).mean(), 1e-5)
    weight = np.clip(np.rint(master / mean), -1, 1) * mean
    scale = 127 / np.maximum(np.abs(x).max(-1, keepdims=True), 1e-5)
    return np.clip(np.rint(x * scale), -128, 127) / scale @ weight.T


def rotate(x, theta):
    n, _, dim = x.shape
    angle = np.arange(n)[:, None] * theta ** (-np.arange(0, dim, 2) / dim)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    first, second = x[..., :dim // 2], x[..., dim // 2:]
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], -1)


def one_bit_llm(ids, state, config):
    """BitnetForCausalLM as the 1bitLLM remote code defines it, in float64."""
    w = {name: tensor.double().numpy() for name, tensor in state.items()}
    heads, eps = config.num_attention_heads, config.rms_norm_eps
    dim, n = config.hidden_size // heads, len(ids)
    mask = np.triu(np.full((n, n), -np.inf), 1)
    x = w["model.embed_tokens.weight"][ids]
    for layer in range(config.num_hidden_layers):
        p = f"model.layers.{layer}."
        h = rms(x, w[p + "input_layernorm.weight"], eps)
        q, k, v = (bit_linear(h, w[f"{p}self_attn.{m}_proj.weight"]).reshape(n, heads, dim)
                   for m in "qkv")
        q, k = (rotate(t, config.rope_parameters["rope_theta"]) for t in (q, k))
        scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(dim) + mask
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = np.einsum("hqk,khd->qhd", scores / scores.sum(-1, keepdims=True), v).reshape(n, -1)
        mixed = rms(mixed, w[p + "self_attn.inner_attn_ln.weight"], eps)
        x = x + bit_linear(mixed, w[p + "self_attn.o_proj.weight"])
        h = rms(x, w[p + "post_attention_layernorm.weight"], eps)
        gate = bit_linear(h, w[p + "mlp.gate_proj.weight"])
        up = bit_linear(h, w[p + "mlp.up_proj.weight"])
        inner = rms(gate / (1 + np.exp(-gate)) * up, w[p + "mlp.ffn_layernorm.weight"], eps)
        x = x + bit_linear(inner, w[p + "mlp.down_proj.weight"])
    return rms(x, w["model.norm.weight"], eps) @ w["model.embed_tokens.weight"].T


def make_1bitllm(out):
    config = bitnet_config(hidden_size=48, num_attention_heads=3, num_key_value_heads=3,
                           intermediate_size=60, hidden_act="silu", rms_norm_eps=1e-5,
                           rope_parameters={"rope_type": "default", "rope_theta": 1e4})
    state = random_state(transformers.BitNetForCausalLM(config), 7, torch.bfloat16)
    state = {name.replace("attn_sub_norm", "inner_attn_ln")
                 .replace("ffn_sub_norm", "ffn_layernorm"):
             tensor for name, tensor in state.items() if name != "lm_head.weight"}
    folder = out / "1bitllm"
    save_folder(folder, config, state, "BitnetForCausalLM")
    ids = token_ids(VOCAB)
    write_golden(folder / "golden.bin", ids, one_bit_llm(ids, state, config))
    write_gguf(folder / "model.gguf", "bitnet", config, state)


def main():
    out = pathlib.Path(sys.argv[1])
    for make in (make_llama, make_llama_bias, make_qwen3, make_bitnet, make_llama_ternary,
                 make_bitnet_256, make_1bitllm):
        make(out)
        print(make.__name__, flush=True)


if __name__ == "__main__":
    main()
