"""The example model as a Hugging Face folder, made from the network that a GGUF decodes to.

Linears are uint8 [out / 4, in]: the rows fall into four stripes of out / 4, and byte [k][c]
holds row k + i * out / 4 in bits 2i..2i+1 as code + 1. weight_scale [1] multiplies
(linear_class autobitlinear, quantization_mode offline). All other tensors are float32.
"""

import json
import shutil

import torch
from safetensors.torch import save_file

from corpus import END_OF_TEXT
from gguf_form import SAMPLING

BLOCK_NAMES = {
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "attn_sub_norm": "self_attn.attn_sub_norm",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
    "ffn_sub_norm": "mlp.ffn_sub_norm"}


def pack_stripes(codes):
    """codes [out, in] in {-1, 0, 1} -> uint8 [out / 4, in]."""
    stripes = (codes + 1).to(torch.uint8).chunk(4)
    return stripes[0] | stripes[1] << 2 | stripes[2] << 4 | stripes[3] << 6


def tensors(network):
    result = {"model.embed_tokens.weight": network.token_embd.data,
              "model.norm.weight": network.output_norm.data}
    linears = set(network.linears())
    for i, block in enumerate(network.blocks):
        for name, parameter in block.named_parameters():
            target = f"model.layers.{i}.{BLOCK_NAMES[name]}.weight"
            if f"blk.{i}.{name}" not in linears:
                result[target] = parameter.data
                continue
            codes, scale = block.codes_of(parameter)
            result[target] = pack_stripes(codes)
            result[f"{target}_scale"] = scale.reshape(1)
    return {name: value.contiguous() for name, value in result.items()}


def config(shape, end_id):
    return {
        "architectures": ["BitNetForCausalLM"], "model_type": "bitnet",
        "vocab_size": shape.vocab_size, "hidden_size": shape.hidden_size,
        "intermediate_size": shape.ffn_size, "num_hidden_layers": shape.layer_count,
        "num_attention_heads": shape.head_count, "num_key_value_heads": shape.kv_head_count,
        "head_dim": shape.head_dim, "hidden_act": "relu2",
        "max_position_embeddings": shape.context_length, "rms_norm_eps": shape.norm_eps,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
        "tie_word_embeddings": True, "attention_bias": False, "attention_dropout": 0.0,
        "bos_token_id": end_id, "eos_token_id": end_id, "dtype": "float32", "use_cache": True,
        "quantization_config": {
            "quant_method": "bitnet", "linear_class": "autobitlinear",
            "quantization_mode": "offline", "modules_to_not_convert": ["lm_head"]}}


def write(folder, network, tokenizer_path):
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(tokenizer_path, folder / "tokenizer.json")
    tokenizer = json.loads(tokenizer_path.read_text(encoding="utf-8"))
    end_id = tokenizer["model"]["vocab"][END_OF_TEXT]
    shape = network.shape
    write_json(folder / "config.json", config(shape, end_id))
    write_json(folder / "generation_config.json", {
        "bos_token_id": end_id, "eos_token_id": end_id, "do_sample": True, **SAMPLING})
    write_json(folder / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT, "add_bos_token": True, "add_prefix_space": False,
        "clean_up_tokenization_spaces": False, "model_max_length": shape.context_length})
    save_file(tensors(network), folder / "model.safetensors", metadata={"format": "pt"})


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
