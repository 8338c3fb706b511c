"""Generates text with an exported GGUF: the float32 network, one sequence, no cache.

Sampling: softmax(logits / temperature) cut to top_k, then to the smallest set holding
top_p; the random numbers come from numpy PCG64(seed). Greedy when temperature is 0.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

import gguf_form
from corpus import END_OF_TEXT


def next_token(logits, options, rng):
    if options.temperature == 0:
        return int(np.argmax(logits))
    order = np.argsort(-logits, kind="stable")[:options.top_k]
    weights = np.exp((logits[order] - logits[order[0]]) / options.temperature)
    weights /= weights.sum()
    kept = int(np.searchsorted(np.cumsum(weights), options.top_p)) + 1
    weights = weights[:kept] / weights[:kept].sum()
    return int(order[:kept][rng.choice(len(weights), p=weights)])


@torch.no_grad()
def generate(network, tokenizer, prompt, options, seed):
    """Returns prompt and continuation, up to <|endoftext|> or max_tokens new tokens."""
    end = tokenizer.token_to_id(END_OF_TEXT)
    tokens = tokenizer.encode(prompt).ids
    rng = np.random.Generator(np.random.PCG64(seed))
    limit = min(len(tokens) + options.max_tokens, network.shape.context_length)
    while len(tokens) < limit:
        logits = network(torch.tensor([tokens]))[-1].double().numpy()
        token = next_token(logits, options, rng)
        if token == end:
            break
        tokens.append(token)
    return tokenizer.decode(tokens[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder with tokenizer.json")
    parser.add_argument("--prompt", default="Once upon a time")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--max-tokens", type=int, default=300)
    parser.add_argument("--temperature", type=float, default=gguf_form.SAMPLING["temperature"])
    parser.add_argument("--top-k", type=int, default=gguf_form.SAMPLING["top_k"])
    parser.add_argument("--top-p", type=float, default=gguf_form.SAMPLING["top_p"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = gguf_form.read(options.gguf)
    tokenizer = Tokenizer.from_file(str(options.work / "tokenizer.json"))
    for seed in options.seeds:
        print(f"seed {seed}:\n{generate(network, tokenizer, options.prompt, options, seed)}\n")


if __name__ == "__main__":
    main()
