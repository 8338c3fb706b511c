#!/usr/bin/env python3
"""Makes tests/data/adapters: tiny random LoRA adapters of models in tests/data/models, as PEFT
saves them, and the logits that transformers with PEFT gives for model and adapter in float32 on the
CPU.

Per case adapter_config.json, adapter_model.safetensors and golden.bin (format of make_models.py);
`golden.both.bin` of a case is this adapter at scale 0.5 after that of the case before it. Where a
case says so also adapter.gguf, with the names and the order of rows that llama.cpp's
convert_lora_to_gguf.py gives; it is kept only where llama.cpp, with the model's own GGUF form in
float32, gives PEFT's logits.

Usage: adapters.py MODELS_DIR OUT_DIR
  (peft 0.21.2, torch 2.15, transformers 5.23, gguf 0.19, llama-cpp-python 0.3.36, numpy)
"""
import dataclasses
import json
import pathlib
import shutil
import sys
import tempfile

import family_gguf
import gguf
import llama_cpp
import make_models
import numpy as np
import peft
import torch
import transformers
from safetensors.torch import load_file, save_file

family_gguf.ARCH["llama"] = "LLAMA"
# llama.cpp's logits against PEFT's, of the range; it reads GELU from a table of halves.
FORM_LIMIT = 5e-4
LLAMA_LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@dataclasses.dataclass
class Case:
    name: str
    model: str  # folder of the model
    options: dict  # of peft.LoraConfig
    dtype: torch.dtype = torch.float32
    gguf: bool = False


CASES = [
    Case("llama_patterns", "llama", dtype=torch.bfloat16, options=dict(
        r=4, lora_alpha=6, target_modules=LLAMA_LINEARS,
        rank_pattern={"q_proj": 6, "layers.1.mlp.down_proj": 2},
        # The second begins at no dot, the fourth comes after one that matches, too.
        alpha_pattern={"^model.layers.1.self_attn.o_proj": 9, "_proj": 100, "k_proj": 11,
                       "layers.1.self_attn.k_proj": 1, "mlp.(up|gate)_proj": 3})),
    Case("llama_plain", "llama", gguf=True, options=dict(
        r=3, lora_alpha=5, target_modules=["q_proj", "k_proj", "v_proj", "gate_proj", "down_proj"],
        rank_pattern={"k_proj": 5})),
    Case("granite_one_layer", "granite", dtype=torch.float16, gguf=True, options=dict(
        r=2, lora_alpha=7, target_modules=["q_proj", "k_proj", "o_proj"], layers_to_transform=[1])),
    Case("phi3_rslora", "phi3", options=dict(
        r=4, lora_alpha=3, use_rslora=True,
        target_modules=["qkv_proj", "o_proj", "gate_up_proj", "down_proj"])),
    Case("gpt_neox_grouped", "gpt_neox", gguf=True, options=dict(
        r=4, lora_alpha=8,
        target_modules=["query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"])),
    Case("gpt2_conv1d", "gpt2", options=dict(
        r=3, lora_alpha=6, target_modules=["c_attn", "c_proj", "c_fc"], fan_in_fan_out=True)),
    Case("bitnet_ternary", "bitnet", options=dict(r=4, lora_alpha=8, target_modules=LLAMA_LINEARS)),
]


def load_model(folder):
    name = json.loads((folder / "config.json").read_text())["architectures"][0]
    model = getattr(transformers, name).from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager")
    return model.eval()


def fill(model, seed, dtype):
    """Random matrices, rounded to `dtype`, large enough that each of them shows."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if ".lora_A." in name or ".lora_B." in name:
            values = torch.randn(parameter.shape, generator=generator) / parameter.shape[1] ** 0.5
            if ".lora_B." in name:
                values *= 0.3
            parameter.data = values.to(dtype).float()


def logits(model, ids):
    with torch.no_grad():
        return model(torch.tensor(ids[None], dtype=torch.long)).logits[0].float().numpy()


def save(model, folder, base, dtype):
    with tempfile.TemporaryDirectory() as scratch:
        model.save_pretrained(scratch)
        state = load_file(pathlib.Path(scratch) / "adapter_model.safetensors")
        config = json.loads((pathlib.Path(scratch) / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = f"tests/data/models/{base.name}"
    config["target_modules"] = sorted(config["target_modules"])
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    save_file({name: value.to(dtype).contiguous() for name, value in state.items()},
              folder / "adapter_model.safetensors", metadata={"format": "pt"})
    (folder / "adapter_model.safetensors").chmod(0o644)


def write_gguf(folder, model_folder, path):
    """Names and rows of B as those of the base weights, which `Form` turns."""
    form = family_gguf.Form(model_folder)
    config = json.loads((folder / "adapter_config.json").read_text())
    arch = gguf.MODEL_ARCH_NAMES[getattr(gguf.MODEL_ARCH, form.arch)]
    writer = gguf.GGUFWriter(path, arch)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(config["lora_alpha"]))
    for name, values in load_file(folder / "adapter_model.safetensors").items():
        module, matrix = name.removeprefix("base_model.model.").rsplit(".lora_", 1)
        target = form.names.get_name(f"{module}.weight", try_suffixes=(".weight",))
        if matrix == "B.weight":
            values = form.transform(f"{module}.weight", values.float()).to(values.dtype)
        array = np.ascontiguousarray(values.numpy())  # float32 or float16
        writer.add_tensor(f"{target}.lora_{matrix[0].lower()}", array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def peer_logits(model_folder, adapter, ids):
    with tempfile.TemporaryDirectory() as scratch:
        exact = pathlib.Path(scratch) / "exact.gguf"
        family_gguf.convert(model_folder, exact, "f32")
        peer = family_gguf.LlamaCpp(exact)
        lora = llama_cpp.llama_adapter_lora_init(peer.model, str(adapter).encode())
        assert lora, "".join(peer.errors)
        adapters = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(lora)
        scales = (llama_cpp.ctypes.c_float * 1)(1.0)
        assert llama_cpp.llama_set_adapters_lora(peer.context, adapters, 1, scales) == 0
        values = peer.run(ids)
        peer.close()
    return values


def make(case, models, out, seed, previous):
    folder, base = out / case.name, models / case.model
    shutil.rmtree(folder, ignore_errors=True)
    plain = load_model(base)
    ids = make_models.token_ids(plain.config.vocab_size)
    before = logits(plain, ids)
    model = peft.get_peft_model(plain, peft.LoraConfig(**case.options)).eval()
    fill(model, seed, case.dtype)
    golden = logits(model, ids)
    change = family_gguf.relative_error(before, golden)
    assert change > 5e-2, f"{case.name} changes only {change}"
    save(model, folder, base, case.dtype)
    loaded = peft.PeftModel.from_pretrained(load_model(base), folder).eval()
    assert np.array_equal(logits(loaded, ids), golden), f"{case.name}: saved and loaded"
    make_models.write_golden(folder / "golden.bin", ids, golden)
    line = f"{case.name}: changes the logits by {change:.2f} of the range"
    if case.gguf:
        write_gguf(folder, base, folder / "adapter.gguf")
        error = family_gguf.relative_error(golden, peer_logits(base, folder / "adapter.gguf", ids))
        assert error < FORM_LIMIT, f"{case.name}: llama.cpp differs by {error}"
        line += f"; llama.cpp within {error:.1e}"
    if previous is not None and previous.model == case.model:
        both = peft.PeftModel.from_pretrained(load_model(base), out / previous.name)
        both.load_adapter(folder, "second")
        both.base_model.set_adapter(["default", "second"])
        for module in both.modules():
            if isinstance(module, peft.tuners.lora.LoraLayer) and "second" in module.scaling:
                module.scaling["second"] *= 0.5
        make_models.write_golden(folder / "golden.both.bin", ids, logits(both.eval(), ids))
    print(line)


def main():
    models, out = map(pathlib.Path, sys.argv[1:])
    previous = None
    for seed, case in enumerate(CASES):
        make(case, models, out, 100 + seed, previous)
        previous = case


if __name__ == "__main__":
    main()
