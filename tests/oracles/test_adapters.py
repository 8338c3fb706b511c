"""LoRA adapters that PEFT makes and saves, on random models of every family (larger than the stored
ones) and of every seed: all linear layers of attention and dense ffn at once, ranks, alphas, types
and rank-stabilised scales drawn. The logits of the Hugging Face folder and of its GGUF form with
the adapter, against transformers with PEFT in float32: largest difference over their range.

Usage: test_adapters.py [--seeds N] [--families NAME ...]
Exit status 0 when all holds. Uses logit_pipe beside the binary named by BITTERN."""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "golden"))

import families
import family_gguf
import make_families
import numpy as np
import peft
import torch
import transformers
from safetensors.torch import load_file, save_file

transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()

BITTERN = os.environ.get("BITTERN", str(ROOT / "build/release/bittern"))
PIPE = str(pathlib.Path(BITTERN).parent / "tests" / "logit_pipe")
SIZE = 4  # times the stored widths
LENGTH = 60
LIMIT = 5e-5  # of the range
LEAST_CHANGE = 1e-3
OTHERS = ("lm_head", "embed_out", "pooler")


def pipe(model, adapter, ids, width):
    done = subprocess.run([PIPE, str(model), str(adapter)], stdout=subprocess.PIPE,
                          input=np.asarray(ids, dtype=np.int32).tobytes(), stderr=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"logit_pipe {model} {adapter}: {done.stderr.decode()}")
    return np.frombuffer(done.stdout, dtype=np.float32).reshape(len(ids), width)


def linear_names(model):
    """Layers of attention and ffn, by their names in full. Where a model has experts, those of the
    attention: PEFT takes the names of its dense ffn for those of expert parameters."""
    kinds = (torch.nn.Linear, transformers.pytorch_utils.Conv1D)
    others = OTHERS + (("mlp", "block_sparse_moe")
                       if any("experts" in name for name, _ in model.named_modules()) else ())
    return [name for name, module in model.named_modules()
            if isinstance(module, kinds) and not any(part in name for part in others)]


def values(model, ids):
    with torch.no_grad():
        result = model(torch.tensor(ids[None]))
    chosen = result.logits if hasattr(result, "logits") else result.last_hidden_state
    return chosen[0].float().numpy()


def add_adapter(model, names, draw):
    """A PEFT model with random matrices, and the type in which they are to be saved."""
    conv = any(isinstance(model.get_submodule(name), transformers.pytorch_utils.Conv1D)
               for name in names)
    ranks = {name: int(draw.integers(1, 24)) for name in names if draw.random() < 0.3}
    alphas = {name: float(draw.integers(1, 30)) for name in names if draw.random() < 0.3}
    stable = draw.random() < 0.4
    config = peft.LoraConfig(r=int(draw.integers(1, 20)), lora_alpha=int(draw.integers(1, 30)),
                             target_modules=names, fan_in_fan_out=conv, use_rslora=bool(stable),
                             rank_pattern=ranks, alpha_pattern=alphas)
    result = peft.get_peft_model(model, config).eval()
    dtype = [torch.float32, torch.bfloat16, torch.float16][draw.integers(3)]
    generator = torch.Generator().manual_seed(int(draw.integers(1 << 30)))
    for name, parameter in result.named_parameters():
        if ".lora_A." in name or ".lora_B." in name:
            noise = torch.randn(parameter.shape, generator=generator) / parameter.shape[1] ** 0.5
            scale = 0.05 if ".lora_B." in name else 1.0
            parameter.data = (noise * scale).to(dtype).float()
    return result, dtype


def save_adapter(model, folder, dtype):
    model.save_pretrained(folder)
    file = folder / "adapter_model.safetensors"
    save_file({name: value.to(dtype) for name, value in load_file(file).items()}, file)


def check_case(case, seed):
    """The change that the adapter makes, and the errors of folder and GGUF (None: it has none)."""
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    ids = draw.integers(0, families.VOCAB, LENGTH)
    config = case.config
    if case.gguf:
        config = type(config)(**{**config.to_dict(), **case.variants[case.gguf]})
    with tempfile.TemporaryDirectory() as scratch:
        folder, adapter = pathlib.Path(scratch) / "model", pathlib.Path(scratch) / "adapter"
        model = families.fill(case.architecture(config), seed, torch.float32)
        model.save_pretrained(folder)
        make_families.write_config(folder / "config.json", config, case.architecture.__name__)
        plain = case.architecture.from_pretrained(folder, dtype=torch.float32,
                                                  attn_implementation="eager").eval()
        before = values(plain, ids)
        adapted, dtype = add_adapter(plain, linear_names(plain), draw)
        truth = values(adapted, ids)
        save_adapter(adapted, adapter, dtype)
        width = truth.shape[1]
        error = family_gguf.relative_error(truth, pipe(folder, adapter, ids, width))
        gguf_error = None
        if case.gguf is not None:
            family_gguf.convert(folder, folder / "model.gguf", "f32")
            ours = pipe(folder / "model.gguf", adapter, ids, width)
            gguf_error = family_gguf.relative_error(truth, ours)
        return family_gguf.relative_error(truth, before), error, gguf_error


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--families", nargs="*")
    options = parser.parse_args()
    failed = False
    for case in families.all_cases(SIZE):
        if not case.stored or (options.families and case.name not in options.families):
            continue
        rows = [check_case(case, 7000 + seed) for seed in range(options.seeds)]
        change = min(row[0] for row in rows)
        worst = max(row[1] for row in rows)
        worst_gguf = max((row[2] for row in rows if row[2] is not None), default=None)
        text = "none" if worst_gguf is None else f"{worst_gguf:.1e}"
        print(f"{case.name:18s} adapters change at least {change:.4f} of the range; "
              f"folder {worst:.1e}, GGUF {text}", flush=True)
        failed |= change < LEAST_CHANGE or worst > LIMIT or (worst_gguf or 0.0) > LIMIT
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
