"""The example model as others see it: a Hugging Face folder, decoded from
models/bittern-stories.gguf by the gguf package, read by transformers and tokenizers in float32.

1. Bittern gives the same token ids for the GGUF and for the folder as `tokenizers` does.
2. Bittern's greedy tokens are the same for the GGUF and for the folder.
3. Perplexity by llama.cpp's protocol on WikiText-2 raw test, the same chunks: Bittern (both forms)
   against transformers, within 0.5 %. (int8 codes at a tie may round either way between two
   float32 programs, so single logits are not compared here; tests/model does that on codes.)

Exit status 0 when all holds. The binary is the one named by BITTERN."""
import argparse
import gzip
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

import gguf
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoModelForCausalLM

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "train_example"))
import gguf_form  # noqa: E402
import hf_form  # noqa: E402

BITTERN = os.environ.get("BITTERN", str(ROOT / "build" / "release" / "bittern"))
MODEL = ROOT / "models" / "bittern-stories.gguf"
TEXT = ROOT / "tests" / "data" / "eval" / "wikitext2_raw_test.txt.gz"
CONTEXT, LIMIT = 256, 0.005
PROMPTS = ["Once upon a time", "The dog and the cat", "Tom said, \"I can't find it!\"", "",
           "caf\u00e9 \u2014 na\u00efve  double  spaces\n\n1234"]


def bittern(*arguments):
    done = subprocess.run([BITTERN, *map(str, arguments)], capture_output=True, check=True,
                          stdin=subprocess.DEVNULL)
    return json.loads(done.stdout)


def write_tokenizer(path):
    """tokenizer.json from the vocabulary in the GGUF."""
    fields = gguf.GGUFReader(MODEL).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    end = tokens[0]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([end])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{end} $A", special_tokens=[(end, 0)])
    tokenizer.save(str(path))
    return tokenizer


@torch.no_grad()
def perplexity(model, ids, chunks):
    """Disjoint chunks, first token replaced by BOS, the second half scored (llama-perplexity)."""
    total, count = 0.0, 0
    for chunk in range(chunks):
        window = ids[chunk * CONTEXT:(chunk + 1) * CONTEXT]
        window = torch.tensor([[0] + window[1:]])
        scores = model(window).logits[0].double().log_softmax(-1)
        first = CONTEXT // 2
        picked = scores[first:CONTEXT - 1].gather(1, window[0, first + 1:, None])
        total, count = total - picked.sum().item(), count + len(picked)
    return math.exp(total / count), count


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--chunks", type=int, default=40)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, text = pathlib.Path(name, "hf"), pathlib.Path(name, "text")
        tokenizer = write_tokenizer(pathlib.Path(name, "tokenizer.json"))
        hf_form.write(folder, gguf_form.read(MODEL), pathlib.Path(name, "tokenizer.json"))
        for prompt in PROMPTS:
            expected = tokenizer.encode(prompt).ids
            outputs = [bittern("run", form, "--json", "--temp", 0, "-n", 100, "--context", 256,
                               "--ignore-eos", "--kv-type", "f32", "--activations", "f32",
                               "--quiet", "--", prompt)
                       for form in (MODEL, folder)]
            assert all(output["prompt_ids"] == expected for output in outputs), prompt
            assert outputs[0]["token_ids"] == outputs[1]["token_ids"], prompt
        print(f"{len(PROMPTS)} prompts: ids and 100 greedy tokens equal, GGUF and folder")

        text.write_bytes(gzip.decompress(TEXT.read_bytes()))
        ids = tokenizer.encode(text.read_text(encoding="utf-8")).ids
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        reference, count = perplexity(model, ids, arguments.chunks)
        for form in (MODEL, folder):
            own = bittern("eval", form, "perplexity", text, "--context", CONTEXT, "--chunks",
                          arguments.chunks, "--kv-type", "f32", "--json", "--quiet")
            off = own["perplexity"] / reference - 1
            print(f"perplexity of {count} tokens: bittern {own['perplexity']:.4f}, "
                  f"transformers {reference:.4f}, off by {off * 100:+.3f} % ({form.name})")
            assert abs(off) <= LIMIT


if __name__ == "__main__":
    main()
