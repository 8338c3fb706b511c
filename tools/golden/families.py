"""The model families as transformers configurations: small, with every trait of the family set so
that it matters. Used by make_families.py (tiny, stored) and tests/oracles/test_families.py (larger,
made on the fly).

A case is a name, a model class, a configuration and variants: other configurations for the same
weights. `size` scales the widths: 1 is the stored size. All numbers are chosen so that heads, key
heads, head size, width and rotary part are pairwise different where the family allows it.
"""
import dataclasses

import torch
import transformers as t

VOCAB = 64
CONTEXT = 64
WINDOW = 8
ORIGINAL = 32  # of longrope


@dataclasses.dataclass
class Case:
    name: str
    architecture: type
    config: object
    variants: dict = dataclasses.field(default_factory=dict)  # name -> changed fields
    gguf: str | None = ""  # the variant that the GGUF form can express; None: no GGUF form
    encoder: bool = False
    stored: bool = True  # in tests/data/models; False: a family that Bittern does not read yet


def base(size, **changes):
    values = dict(vocab_size=VOCAB, hidden_size=32 * size, intermediate_size=40 * size,
                  num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                  max_position_embeddings=CONTEXT, tie_word_embeddings=False,
                  bos_token_id=1, eos_token_id=2, pad_token_id=None)
    values.update(changes)
    return {name: value for name, value in values.items() if value != "absent"}


def rope(theta=1e4, **more):
    return {"rope_type": "default", "rope_theta": theta, **more}


def decoder_cases(size=1):
    """Families of one decoder with separate projections."""
    return [
        Case("mistral", t.MistralForCausalLM,
             t.MistralConfig(**base(size, head_dim=12 * size, sliding_window=WINDOW,
                                    rope_parameters=rope())),
             variants={"whole": {"sliding_window": None}}, gguf="whole"),
        Case("qwen2", t.Qwen2ForCausalLM,
             t.Qwen2Config(**base(size, num_hidden_layers=3, tie_word_embeddings=True,
                                  rope_parameters=rope(1e6))),
             variants={"window": {"use_sliding_window": True, "sliding_window": WINDOW,
                                  "max_window_layers": 1,
                                  "layer_types": ["full_attention"] + ["sliding_attention"] * 2}}),
        Case("gemma", t.GemmaForCausalLM,
             t.GemmaConfig(**base(size, head_dim=16 * size, num_key_value_heads=1,
                                  tie_word_embeddings=True, rope_parameters=rope()))),
        Case("gemma2", t.Gemma2ForCausalLM,
             t.Gemma2Config(**base(size, num_hidden_layers=4, head_dim=16 * size,
                                   query_pre_attn_scalar=24 * size, attn_logit_softcapping=3.0,
                                   final_logit_softcapping=5.0, sliding_window=WINDOW,
                                   tie_word_embeddings=True, rope_parameters=rope())),
             # GGUF has no key for the scalar: llama.cpp takes the head size.
             variants={"head_scale": {"query_pre_attn_scalar": 16 * size}}, gguf="head_scale"),
        Case("gemma3", t.Gemma3ForCausalLM,
             t.Gemma3TextConfig(**base(
                 size, num_hidden_layers=7, num_attention_heads=2, num_key_value_heads=1,
                 head_dim=12 * size, query_pre_attn_scalar=20 * size, sliding_window=WINDOW,
                 tie_word_embeddings=True,
                 rope_parameters={"full_attention": rope(1e6, rope_type="linear", factor=4.0),
                                  "sliding_attention": rope(1e4)})),
             variants={"head_scale": {"query_pre_attn_scalar": 12 * size}}, gguf="head_scale"),
        Case("olmo", t.OlmoForCausalLM,
             t.OlmoConfig(**base(size, clip_qkv=1.5, rope_parameters=rope())), stored=False),
        Case("olmo2", t.Olmo2ForCausalLM,
             t.Olmo2Config(**base(size, rms_norm_eps=1e-4, rope_parameters=rope(5e5)))),
        Case("granite", t.GraniteForCausalLM,
             t.GraniteConfig(**base(size, embedding_multiplier=3.0, logits_scaling=2.5,
                                    residual_multiplier=0.4, attention_multiplier=0.7,
                                    rope_parameters=rope()))),
        Case("smollm3", t.SmolLM3ForCausalLM,
             t.SmolLM3Config(**base(size, num_hidden_layers=5, tie_word_embeddings=True,
                                    rope_parameters=rope(2e6)))),
        Case("stablelm", t.StableLmForCausalLM,
             t.StableLmConfig(**base(size, use_qkv_bias=True,
                                     rope_parameters=rope(partial_rotary_factor=0.5)))),
        Case("stablelm_parallel", t.StableLmForCausalLM,
             t.StableLmConfig(**base(size, qk_layernorm=True, use_parallel_residual=True,
                                     rope_parameters=rope(partial_rotary_factor=0.25)))),
        Case("starcoder2", t.Starcoder2ForCausalLM,
             t.Starcoder2Config(**base(size, sliding_window=WINDOW, tie_word_embeddings=True,
                                       rope_parameters=rope(1e5))),
             variants={"whole": {"sliding_window": None}}, gguf="whole"),
        Case("cohere", t.CohereForCausalLM,
             t.CohereConfig(**base(size, logit_scale=0.3, use_qk_norm=False,
                                   tie_word_embeddings=True, rope_parameters=rope()))),
        Case("phi", t.PhiForCausalLM,
             t.PhiConfig(**base(size, rope_parameters=rope(partial_rotary_factor=0.5)))),
    ]


def fused_cases(size=1):
    """Fused or transposed projections, and what else the older families do."""
    short = [1.0 + 0.25 * i for i in range(3 * size)]
    long = [1.0 + 1.8 * i for i in range(3 * size)]
    longrope = {"rope_type": "longrope", "rope_theta": 1e4, "short_factor": short,
                "long_factor": long, "partial_rotary_factor": 0.75,
                "original_max_position_embeddings": ORIGINAL}
    falcon = dict(vocab_size=VOCAB, hidden_size=32 * size, num_hidden_layers=2,
                  num_attention_heads=4, max_position_embeddings=CONTEXT, bos_token_id=1,
                  eos_token_id=2, rope_parameters=rope())
    neox = dict(base(size, num_key_value_heads="absent", num_attention_heads=2),
                rope_parameters=rope(partial_rotary_factor=0.5))
    return [
        Case("phi3", t.Phi3ForCausalLM,
             t.Phi3Config(**base(size, sliding_window=None, rope_parameters=longrope,
                                 original_max_position_embeddings=ORIGINAL)),
             variants={"window": {"sliding_window": WINDOW},
                       "plain": {"rope_parameters": rope(partial_rotary_factor=0.75)}}),
        Case("falcon", t.FalconForCausalLM,
             t.FalconConfig(**falcon, multi_query=True, parallel_attn=True, bias=False)),
        Case("falcon_new", t.FalconForCausalLM,
             t.FalconConfig(**falcon, new_decoder_architecture=True, num_kv_heads=2, bias=False,
                            ffn_hidden_size=40 * size)),
        Case("gpt2", t.GPT2LMHeadModel,
             t.GPT2Config(vocab_size=VOCAB, n_embd=32 * size, n_layer=2, n_head=4,
                          n_positions=CONTEXT, bos_token_id=1, eos_token_id=2)),
        Case("gpt_neox", t.GPTNeoXForCausalLM, t.GPTNeoXConfig(**neox),
             variants={"sequential": {"use_parallel_residual": False}}),
    ]


def expert_cases(size=1):
    moe = dict(num_experts=6, num_experts_per_tok=2, moe_intermediate_size=16 * size,
               head_dim=12 * size, rope_parameters=rope(1e6))
    return [
        Case("mixtral", t.MixtralForCausalLM,
             t.MixtralConfig(**base(size, intermediate_size=24 * size, num_local_experts=4,
                                    num_experts_per_tok=2, sliding_window=None,
                                    rope_parameters=rope(1e6)))),
        Case("qwen3_moe", t.Qwen3MoeForCausalLM,
             t.Qwen3MoeConfig(**base(size), **moe, norm_topk_prob=True),
             variants={"raw": {"norm_topk_prob": False}}),
        # Of four layers only the second has experts: the step makes 1 and 3 sparse, the list
        # takes 3 out again.
        Case("qwen3_moe_mixed", t.Qwen3MoeForCausalLM,
             t.Qwen3MoeConfig(**base(size, num_hidden_layers=4), **moe, norm_topk_prob=True,
                              decoder_sparse_step=2, mlp_only_layers=[3]), gguf=None),
    ]


def encoder_cases(size=1):
    return [
        Case("bert", t.BertModel,
             t.BertConfig(**base(size, num_key_value_heads="absent", tie_word_embeddings="absent",
                                 bos_token_id="absent", eos_token_id="absent",
                                 pad_token_id=0)), encoder=True),
    ]


def added_cases(size=1):
    """New families go here: the seed of a case is its place in the whole list."""
    return [
        Case("nemotron", t.NemotronForCausalLM,
             t.NemotronConfig(**base(size, head_dim=8 * size,
                                     rope_parameters=rope(partial_rotary_factor=0.5)))),
    ]


def all_cases(size=1):
    return (decoder_cases(size) + fused_cases(size) + expert_cases(size) + encoder_cases(size) +
            added_cases(size))


# Old spellings of what transformers 5 writes as rope_parameters and layer_types: the names that
# checkpoints of 2023 to 2025 have. [folder, fields to drop, fields to add].
LEGACY = {
    "mistral": (["rope_parameters"], {"rope_theta": 10000.0}),
    "gemma3": (["rope_parameters", "layer_types", "_sliding_window_pattern"],
               {"rope_theta": 1000000.0, "rope_local_base_freq": 10000.0,
                "rope_scaling": {"rope_type": "linear", "factor": 4.0},
                "sliding_window_pattern": 6}),
    "gpt_neox": (["rope_parameters"], {"rotary_pct": 0.5, "rotary_emb_base": 10000}),
    "stablelm": (["rope_parameters"], {"rope_theta": 10000, "partial_rotary_factor": 0.5}),
    "falcon": (["rope_parameters", "num_kv_heads", "ffn_hidden_size", "activation",
                "num_ln_in_parallel_attn", "max_position_embeddings", "tie_word_embeddings"], {}),
}


def legacy_phi3(config):
    """Phi-3's own spelling: type "longrope" (or "su") without theta, both of them at the top."""
    text = config.to_dict()
    parameters = text.pop("rope_parameters")
    text["rope_theta"] = parameters["rope_theta"]
    text["partial_rotary_factor"] = parameters["partial_rotary_factor"]
    text["rope_scaling"] = {"type": "longrope", "short_factor": parameters["short_factor"],
                            "long_factor": parameters["long_factor"]}
    return text


def is_norm(name):
    parts = name.lower()
    return any(word in parts for word in ("norm", "ln_", "ln.")) and name.endswith("weight")


def fill(model, seed, dtype):
    """Random values for every parameter, rounded to `dtype`, in place. Wide enough that angles,
    norms, caps and scales move the logits by far more than any tolerance."""
    generator = torch.Generator().manual_seed(seed)
    conv = {f"{name}.weight" for name, module in model.named_modules()
            if type(module).__name__ == "Conv1D"}
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            if is_norm(name):
                centred = type(model).__name__.startswith(("Gemma", "Nemotron"))  # 1 + w
                value = (0.0 if centred else 1.0) + 0.3 * noise
            elif name.endswith("bias"):
                value = 0.5 * noise
            elif "embed" in name or "wte" in name or "wpe" in name:
                value = noise if "out" not in name else noise / parameter.shape[1] ** 0.5
            else:
                fan_in = parameter.shape[0] if name in conv else parameter.shape[-1]
                asks = any(word in name for word in
                           ("q_proj", "k_proj", "qkv", "query", "key", "c_attn"))
                value = (1.6 if asks else 1.0) * noise / fan_in ** 0.5
            parameter.copy_(value.to(dtype))
    return model
