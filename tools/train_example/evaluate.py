"""Perplexity of an exported GGUF on the two validation splits, float32.

Each document is scored on its own as <|endoftext|> text <|endoftext|>. Text beyond one
context continues in further windows; every window starts with <|endoftext|>, which is
not scored, so each token is scored once and each document's end counts as one token.
Per byte means: total nats divided by the UTF-8 bytes of the documents.
"""

import argparse
import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

import gguf_form
from corpus import END_OF_TEXT


@torch.no_grad()
def nats(network, ids, end):
    """Total negative log-likelihood of ids + [end]."""
    total, span, ids = 0.0, network.shape.context_length, ids + [end]
    for start in range(0, len(ids), span):
        scored = ids[start:start + span]
        logits = network(torch.tensor([[end] + scored[:-1]]))
        total += F.cross_entropy(logits.double(), torch.tensor(scored), reduction="sum").item()
    return total


def evaluate(network, tokenizer, text):
    end = tokenizer.token_to_id(END_OF_TEXT)
    documents = text.split(f"\n{END_OF_TEXT}\n")
    total, token_count, byte_count = 0.0, 0, 0
    for document in documents:
        ids = tokenizer.encode(document, add_special_tokens=False).ids
        total += nats(network, ids, end)
        token_count += len(ids) + 1
        byte_count += len(document.encode())
    return {"documents": len(documents), "tokens": token_count, "bytes": byte_count,
            "perplexity_per_token": math.exp(total / token_count),
            "perplexity_per_byte": math.exp(total / byte_count),
            "bits_per_byte": total / byte_count / math.log(2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder written by corpus.py")
    args = parser.parse_args()
    torch.set_num_threads(1)
    network = gguf_form.read(args.gguf)
    tokenizer = Tokenizer.from_file(str(args.work / "tokenizer.json"))
    for split in ("val_stories", "val_tales"):
        text = (args.work / f"{split}.txt").read_text(encoding="utf-8")
        print(split, json.dumps(evaluate(network, tokenizer, text)), flush=True)


if __name__ == "__main__":
    main()
