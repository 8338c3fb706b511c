"""The GGUF form of a Hugging Face folder of families.py, written with PyPI gguf: names from its
tensor-name map, keys and transformations as llama.cpp's convert_hf_to_gguf.py makes them. Without
a vocabulary (tokenizer.ggml.model = "no_vocab").

`LlamaCpp` runs such a file in llama.cpp (llama-cpp-python): that its logits equal transformers'
shows that the file says what the folder says.
"""
import json
import pathlib

import gguf
import llama_cpp
import numpy as np
import torch
from safetensors.torch import load_file

ARCH = {"mistral": "LLAMA", "mixtral": "LLAMA", "qwen2": "QWEN2", "qwen3_moe": "QWEN3MOE",
        "gemma": "GEMMA", "gemma2": "GEMMA2", "gemma3_text": "GEMMA3", "phi": "PHI2",
        "phi3": "PHI3", "falcon": "FALCON", "gpt2": "GPT2", "gpt_neox": "GPTNEOX", "olmo": "OLMO",
        "olmo2": "OLMO2", "granite": "GRANITE", "stablelm": "STABLELM", "smollm3": "SMOLLM3",
        "starcoder2": "STARCODER2", "nemotron": "NEMOTRON", "cohere": "COMMAND_R", "bert": "BERT"}
PERMUTED = ("LLAMA", "GRANITE", "SMOLLM3", "OLMO")  # rows of q and k: half -> interleaved
KINDS = {"f32": gguf.GGMLQuantizationType.F32, "bf16": gguf.GGMLQuantizationType.BF16,
         "f16": gguf.GGMLQuantizationType.F16}


def permute(values, heads):
    return (values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
            .swapaxes(1, 2).reshape(values.shape))


def regroup(values, groups, parts):
    """Rows [groups][parts of heads][head] to one part after the other."""
    size = values.shape[0] // groups // sum(parts)
    grouped = values.reshape(groups, sum(parts), size, *values.shape[1:])
    begin, chosen = 0, []
    for part in parts:
        chosen.append(grouped[:, begin:begin + part].reshape(-1, *values.shape[1:]))
        begin += part
    return torch.cat(chosen)


class Form:
    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.config = json.loads((folder / "config.json").read_text())
        self.state = load_file(folder / "model.safetensors")
        self.arch = ARCH[self.config["model_type"]]
        self.layers = self.first("num_hidden_layers", "n_layer")
        self.heads = self.first("num_attention_heads", "n_head")
        self.width = self.first("hidden_size", "n_embd")
        self.head_dim = self.config.get("head_dim") or self.width // self.heads
        self.rope = self.config.get("rope_parameters") or {}
        self.names = gguf.get_tensor_name_map(getattr(gguf.MODEL_ARCH, self.arch), self.layers)

    def first(self, *keys):
        return next((self.config[k] for k in keys if self.config.get(k) is not None), None)

    # --- keys ---------------------------------------------------------------------------------

    def write_keys(self, w):
        c, arch = self.config, self.arch
        w.add_block_count(self.layers)
        w.add_context_length(2048 if arch == "FALCON" else
                             self.first("max_position_embeddings", "n_positions"))
        w.add_embedding_length(self.width)
        ffn = self.first("intermediate_size", "ffn_hidden_size", "n_inner") or 4 * self.width
        w.add_feed_forward_length(ffn)
        w.add_head_count(self.heads)
        kv_heads = self.first("num_key_value_heads")
        if arch == "FALCON":
            kv_heads = c["num_kv_heads"] if c["new_decoder_architecture"] else 1
        if kv_heads is not None:
            w.add_head_count_kv(kv_heads)
        if self.first("rms_norm_eps"):
            w.add_layer_norm_rms_eps(c["rms_norm_eps"])
        eps = self.first("layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps")
        if eps or arch == "OLMO":
            w.add_layer_norm_eps(eps or 1e-5)
        if c.get("head_dim"):
            w.add_key_length(self.head_dim)
            w.add_value_length(self.head_dim)
        w.add_tokenizer_model("no_vocab")
        w.add_vocab_size(c["vocab_size"])
        self.write_rope_keys(w)
        self.write_family_keys(w)

    def write_rope_keys(self, w):
        whole = self.rope.get("full_attention", self.rope)
        if not whole or self.arch in ("FALCON", "GPTNEOX"):  # the converter writes none
            if self.arch == "GPTNEOX":
                w.add_rope_dimension_count(self.rotary())
            return
        w.add_rope_freq_base(whole["rope_theta"])
        if self.arch in PERMUTED + ("PHI3", "STABLELM", "PHI2", "NEMOTRON"):
            w.add_rope_dimension_count(self.rotary())
        if whole["rope_type"] == "linear":
            w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
            w.add_rope_scaling_factor(whole["factor"])
        if "sliding_attention" in self.rope:
            w.add_rope_freq_base_swa(self.rope["sliding_attention"]["rope_theta"])
        if whole["rope_type"] == "longrope":
            original = whole["original_max_position_embeddings"]
            scale = self.config["max_position_embeddings"] / original
            w.add_rope_scaling_orig_ctx_len(original)
            w.add_rope_scaling_attn_factors(float(np.sqrt(1 + np.log(scale) / np.log(original))))
            for name in ("long", "short"):
                factors = np.array(whole[f"{name}_factor"], dtype=np.float32)
                w.add_tensor(f"rope_factors_{name}.weight", factors)

    def rotary(self):
        return int(self.rope.get("partial_rotary_factor", 1.0) * self.head_dim)

    def write_family_keys(self, w):
        c, arch = self.config, self.arch
        if c.get("attn_logit_softcapping"):
            w.add_attn_logit_softcapping(c["attn_logit_softcapping"])
        if c.get("final_logit_softcapping"):
            w.add_final_logit_softcapping(c["final_logit_softcapping"])
        if arch in ("GEMMA2", "GEMMA3"):
            w.add_sliding_window(c["sliding_window"])
        if arch == "PHI3":
            w.add_sliding_window(c["sliding_window"] or 0)
        if arch in ("STABLELM", "GPTNEOX"):
            w.add_parallel_residual(c["use_parallel_residual"])
        if arch == "FALCON":
            w.add_tensor_data_layout("jploski")
        if arch == "OLMO" and c["clip_qkv"]:
            w.add_clamp_kqv(c["clip_qkv"])
        if arch == "GRANITE":
            w.add_attention_scale(c["attention_multiplier"])
            w.add_embedding_scale(c["embedding_multiplier"])
            w.add_residual_scale(c["residual_multiplier"])
            w.add_logit_scale(c["logits_scaling"])
        if arch == "COMMAND_R":
            w.add_logit_scale(c["logit_scale"])
            w.add_rope_scaling_type(gguf.RopeScalingType.NONE)
        if self.first("num_local_experts", "num_experts"):
            w.add_expert_count(self.first("num_local_experts", "num_experts"))
            w.add_expert_used_count(c["num_experts_per_tok"])
            if arch == "QWEN3MOE":
                w.add_expert_feed_forward_length(c["moe_intermediate_size"])
        if arch == "BERT":
            w.add_causal_attention(False)
            w.add_pooling_type(gguf.PoolingType.MEAN)
            w.add_token_type_count(c["type_vocab_size"])

    # --- tensors ------------------------------------------------------------------------------

    def tensors(self):
        state = dict(self.state)
        self.stack(state)
        for name, values in state.items():
            values = self.transform(name, values.float())
            if values is None:
                continue
            target = self.names.get_name(name, try_suffixes=(".weight", ".bias"))
            assert target, f"{self.arch} has no name for {name}"
            yield target, values

    def stack(self, state):
        """Experts into one tensor each, stablelm's norms of the heads into one of all."""
        groups = {}
        for name in list(state):
            for mark, merged in ((".experts.", ".experts."), ("_layernorm.norms.", "_layernorm.")):
                if mark in name:
                    before, after = name.split(mark)
                    number, part = after.split(".", 1)
                    groups.setdefault(before + merged + part, {})[int(number)] = state.pop(name)
        for name, members in groups.items():
            if ".block_sparse_moe." in name:
                name = name.replace("model.layers", "layers").replace("block_sparse_moe",
                                                                      "feed_forward")
            state[name] = torch.stack([members[i] for i in sorted(members)])

    def transform(self, name, values):
        c, arch = self.config, self.arch
        if name.startswith(("pooler.", "cls.")) or name.endswith((".attn.bias", ".masked_bias")):
            return None
        if name == "lm_head.weight" and c.get("tie_word_embeddings"):
            return None
        if arch.startswith(("GEMMA", "NEMOTRON")) and name.endswith("norm.weight"):
            return values + 1
        if arch in PERMUTED and "q_proj." in name:
            return permute(values, self.heads)
        if arch in PERMUTED and "k_proj." in name:
            return permute(values, c["num_key_value_heads"])
        if arch == "GPT2" and name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight")):
            return values.T
        if "query_key_value" in name and arch == "FALCON":
            groups = c["num_kv_heads"] if c["new_decoder_architecture"] else 1
            return regroup(values, groups, (self.heads // groups, 1, 1))
        if "query_key_value" in name and arch == "GPTNEOX":
            return regroup(values, self.heads, (1, 1, 1))
        return values


def convert(folder, path, kind):
    """Writes the GGUF form; `kind` ("f32", "bf16", "f16") is the type of matrices."""
    form = Form(folder)
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[getattr(gguf.MODEL_ARCH, form.arch)])
    form.write_keys(writer)
    for name, values in form.tensors():
        array = np.ascontiguousarray(values.numpy())
        flat = values.ndim == 1 or "norm" in name or "position" in name or "token_types" in name
        chosen = KINDS["f32"] if flat else KINDS[kind]
        if chosen == KINDS["f32"]:
            writer.add_tensor(name, array)
        else:
            writer.add_tensor(name, gguf.quants.quantize(array, chosen), raw_dtype=chosen)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class LlamaCpp:
    """One model in llama.cpp on one thread, f32 keys and values, no flash attention."""

    def __init__(self, path, embeddings=False, context=512):
        self.errors = []

        @llama_cpp.llama_log_callback
        def quiet(level, text, _data):
            if level >= 4:
                self.errors.append(text.decode(errors="replace"))

        self.quiet = quiet  # kept alive
        llama_cpp.llama_log_set(quiet, None)
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(
            str(path).encode(), llama_cpp.llama_model_default_params())
        if not self.model:
            raise RuntimeError("".join(self.errors))
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = context
        parameters.n_threads = parameters.n_threads_batch = 1
        parameters.type_k = parameters.type_v = 0  # GGML_TYPE_F32
        parameters.flash_attn_type = 0
        parameters.embeddings = embeddings
        parameters.pooling_type = 0
        self.context = llama_cpp.llama_init_from_model(self.model, parameters)
        self.embeddings = embeddings

    def run(self, ids):
        """Logits (or hidden states) of every position."""
        batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for place, token in enumerate(ids):
            batch.token[place] = int(token)
            batch.pos[place] = place
            batch.n_seq_id[place] = 1
            batch.seq_id[place][0] = 0
            batch.logits[place] = 1
        compute = llama_cpp.llama_encode if self.embeddings else llama_cpp.llama_decode
        assert compute(self.context, batch) == 0
        llama_cpp.llama_batch_free(batch)
        if self.embeddings:
            width = llama_cpp.llama_model_n_embd(self.model)
            values = llama_cpp.llama_get_embeddings(self.context)
        else:
            width = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
            values = llama_cpp.llama_get_logits(self.context)
        return np.ctypeslib.as_array(values, shape=(len(ids) * width,)).reshape(len(ids), -1).copy()

    def close(self):
        llama_cpp.llama_free(self.context)
        llama_cpp.llama_model_free(self.model)


def relative_error(truth, values):
    """Largest difference over the range of the truth."""
    return float(np.abs(truth - values).max() / (truth.max() - truth.min()))
