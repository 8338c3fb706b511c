"""Writes the trained weights as GGUF and, from that file, as a Hugging Face folder."""

import argparse
import json
from pathlib import Path

import torch

import gguf_form
import hf_form
from network import Network, Shape


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder of the training run")
    parser.add_argument("--weights", default="best.pt", help="best.pt or checkpoint.pt")
    parser.add_argument("--gguf", type=Path, required=True, help="file to write")
    parser.add_argument("--codec", choices=gguf_form.CODECS, default="TQ1_0")
    parser.add_argument("--hf", type=Path, help="folder to write, decoded from the GGUF")
    args = parser.parse_args()
    state = torch.load(args.work / args.weights, weights_only=False)
    network = Network(Shape())
    network.load_state_dict(state["model"])
    network.requires_grad_(False)
    tokenizer_path = args.work / "tokenizer.json"
    tokenizer = json.loads(tokenizer_path.read_text(encoding="utf-8"))
    gguf_form.write(args.gguf, network, tokenizer, args.codec)
    print(f"{args.gguf}: {args.gguf.stat().st_size} bytes, step {state['step']}")
    if args.hf:
        hf_form.write(args.hf, gguf_form.read(args.gguf), tokenizer_path)


if __name__ == "__main__":
    main()
