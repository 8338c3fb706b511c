"""Models that llama.cpp itself has quantised (llama_model_quantize of llama-cpp-python; IQ1 to IQ3
by ggml's encoders with an importance of one everywhere), run by Bittern: the perplexity of every
file type against a float64 forward pass over the weights as ggml's C code decodes them
(tools/golden/codec_models.py), and beside it llama.cpp's own, whose int8 activations keep it only
near. Exit status 0 when all agree.

Allowed in the mean loss: with f32 activations 1e-6 against the forward pass; with int8 ones (the
default) INT8_LIMIT, and 0.1 against llama.cpp."""
import ctypes
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "golden"))

import gguf
import llama_cpp
import numpy as np

import codec_models
import ggml_reference

BITTERN = os.environ.get("BITTERN", str(ROOT / "build" / "release" / "bittern"))
LAYERS, HIDDEN, FFN = 2, 256, 512
# Those that need an importance matrix (IQ1, IQ2, Q2_K_S) llama.cpp refuses without one.
FILE_TYPES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K_S", "Q3_K_M", "Q3_K_L",
              "Q4_K_S",
              "Q4_K_M", "Q5_K_S", "Q5_K_M", "Q6_K", "IQ3_XXS", "IQ3_S", "IQ3_M", "IQ4_NL", "IQ4_XS",
              "TQ1_0", "TQ2_0", "BF16"]
INT8_LIMIT = 0.02
failures = 0


def quantise(source: Path, target: Path, file_type: str) -> bool:
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{file_type}")
    params.nthread = 2
    return llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(),
                                          ctypes.byref(params)) == 0


def read(path: Path) -> dict[str, codec_models.Tensor]:
    """The tensors as ggml decodes them."""
    tensors = {}
    for field in gguf.GGUFReader(path).tensors:
        shape = tuple(int(size) for size in field.shape[::-1])
        name, raw = field.tensor_type.name, field.data.tobytes()
        if name in ggml_reference.TYPES:
            values = ggml_reference.dequantize(name, np.frombuffer(raw, np.uint8))
        else:
            values = gguf.quants.dequantize(field.data, field.tensor_type)
        tensors[field.name] = codec_models.Tensor(name, raw, values.reshape(shape), 0)
    return tensors


def loss_of_bittern(path: Path, text: Path, activations: str) -> float:
    done = subprocess.run([BITTERN, "eval", str(path), "perplexity", str(text), "-c",
                           str(codec_models.CONTEXT), "--kv-type", "f32", "--activations",
                           activations, "--json"], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)["mean_nll"]


def loss_of_llama_cpp(path: Path) -> float:
    model = llama_cpp.Llama(str(path), n_ctx=codec_models.CONTEXT, logits_all=True, verbose=False,
                            n_threads=1)
    ids, losses = list(codec_models.TEXT.encode()), []
    for start in range(0, len(ids) - codec_models.CONTEXT + 1, codec_models.CONTEXT):
        chunk = ids[start:start + codec_models.CONTEXT]
        model.reset()
        model.eval(chunk)
        logits = np.asarray(model.scores[:codec_models.CONTEXT], np.float64)
        for position in range(codec_models.CONTEXT // 2, codec_models.CONTEXT - 1):
            row = logits[position] - logits[position].max()
            losses.append(np.log(np.exp(row).sum()) - row[chunk[position + 1]])
    return float(np.mean(losses))


def check(name: str, path: Path, text: Path) -> None:
    global failures
    tensors = read(path)
    kinds = sorted({tensor.kind for tensor in tensors.values()} - {"F32"})
    layers = sum(name.endswith("attn_norm.weight") for name in tensors)
    expected = codec_models.mean_nll(tensors, layers)
    exact, ours = (loss_of_bittern(path, text, activations) for activations in ("f32", "native"))
    theirs = loss_of_llama_cpp(path)
    bad = abs(exact - expected) > 1e-6 or abs(ours - expected) > INT8_LIMIT or \
        abs(ours - theirs) > 0.1
    failures += bad
    print(f"{name:8} {'WRONG' if bad else 'agrees'}: mean loss {ours:.7f}, off the forward pass by "
          f"{ours - expected:+.1e} (with f32 activations {exact - expected:+.1e}), off llama.cpp by {ours - theirs:+.1e}  ({', '.join(kinds)})")


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = folder / "text.txt"
        text.write_text(codec_models.TEXT)
        kinds = codec_models.one_layer("F32", "F32") * LAYERS
        # Whole super-blocks in every tensor: heads of 128.
        codec_models.HEAD_DIM, codec_models.QUERY, codec_models.KEY = 128, 256, 128
        tensors = codec_models.make(HIDDEN, FFN, kinds, "F32", "F32", 7)
        source = folder / "f32.gguf"
        codec_models.write_by_gguf(source, codec_models.keys(HIDDEN, FFN, LAYERS), tensors)
        check("F32", source, text)
        for file_type in FILE_TYPES:
            target = folder / f"{file_type}.gguf"
            if not quantise(source, target, file_type):
                print(f"{file_type:8} refused by llama.cpp")
                continue
            check(file_type, target, text)
        for kind in ggml_reference.DECODED_ONLY:
            kinds = codec_models.one_layer(kind, kind) * LAYERS
            tensors = codec_models.make(HIDDEN, FFN, kinds, "F32", "F32", 7)
            target = folder / f"{kind}-layers.gguf"
            codec_models.write_by_gguf(target, codec_models.keys(HIDDEN, FFN, LAYERS), tensors)
            check(kind, target, text)
    print("FAILED" if failures else "all agree")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
