"""Checks of the exported forms; run with python test_forms.py --gguf FILE [--hf DIR].

GGUF: every linear holds exactly {-scale, 0, scale}, every block (also an all-zero one)
carries the tensor's scale, and the scale is one number in bf16 and f16.
Hugging Face folder: transformers loads it and gives the logits of the decoded network.
"""

import argparse
from pathlib import Path

import gguf
import numpy as np
import torch

import gguf_form

PROMPT = "Once upon a time, there was a little girl named Lily. One day,"


def check_linears(path):
    kinds = {kind for kind, _ in gguf_form.CODECS.values()}
    checked = 0
    for tensor in gguf.GGUFReader(path).tensors:
        if tensor.tensor_type not in kinds:
            continue
        blocks = tensor.data.reshape(-1, gguf.GGML_QUANT_SIZES[tensor.tensor_type][1])
        scales = np.unique(blocks[:, -2:].copy().view(np.float16))
        values = np.unique(gguf.quants.dequantize(tensor.data, tensor.tensor_type))
        assert len(scales) == 1, tensor.name
        scale = gguf_form.scale_of(scales[0])
        assert np.array_equal(values, np.array([-scale, 0, scale], np.float32)), tensor.name
        checked += 1
    return checked


@torch.no_grad()
def check_folder(path, folder):
    from transformers import AutoModelForCausalLM, AutoTokenizer
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokens = torch.tensor([AutoTokenizer.from_pretrained(folder)(PROMPT).input_ids])
    difference = (model(tokens).logits[0] - gguf_form.read(path)(tokens)).abs()
    assert difference.mean() < 0.01, difference.mean()
    return difference


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--hf", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{check_linears(args.gguf)} ternary tensors exact")
    if args.hf:
        difference = check_folder(args.gguf, args.hf)
        print(f"logits of transformers differ by {difference.max():.2g} at most, "
              f"{difference.mean():.2g} on average")


if __name__ == "__main__":
    main()
