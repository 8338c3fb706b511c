"""ggml's reference quantisers (quantize_*, without an importance matrix, and dequantize_row_*),
called through ctypes in the libggml-base.so that llama-cpp-python installs. That library is built
without vector flags, so it has no fused multiply-add: the plain C semantics."""
import ctypes
import glob
import importlib.util
import os

import numpy as np

# GGUF name -> (C name, elements, bytes of a block)
TYPES = {
    "Q8_0": ("q8_0", 32, 34),
    "Q4_0": ("q4_0", 32, 18),
    "Q4_1": ("q4_1", 32, 20),
    "Q5_0": ("q5_0", 32, 22),
    "Q5_1": ("q5_1", 32, 24),
    "Q2_K": ("q2_K", 256, 84),
    "Q3_K": ("q3_K", 256, 110),
    "Q4_K": ("q4_K", 256, 144),
    "Q5_K": ("q5_K", 256, 176),
    "Q6_K": ("q6_K", 256, 210),
    "IQ4_NL": ("iq4_nl", 32, 18),
    "IQ4_XS": ("iq4_xs", 256, 136),
    "IQ3_XXS": ("iq3_xxs", 256, 98),
    "IQ3_S": ("iq3_s", 256, 110),
    "IQ2_XXS": ("iq2_xxs", 256, 66),
    "IQ2_XS": ("iq2_xs", 256, 74),
    "IQ2_S": ("iq2_s", 256, 82),
    "IQ1_S": ("iq1_s", 256, 50),
    "IQ1_M": ("iq1_m", 256, 56),
    "TQ1_0": ("tq1_0", 256, 54),
    "TQ2_0": ("tq2_0", 256, 66),
    "MXFP4": ("mxfp4", 32, 17),
    "NVFP4": ("nvfp4", 64, 36),
    "Q1_0": ("q1_0", 128, 18),
    "Q2_0": ("q2_0", 64, 18),
}
# Those that Bittern only reads.
DECODED_ONLY = ["IQ3_XXS", "IQ3_S", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ1_S", "IQ1_M"]
# Type id in GGUF files, where PyPI gguf 0.19 does not have it yet.
NEWER_IDS = {"Q2_0": 42}


def _library() -> ctypes.CDLL:
    package = importlib.util.find_spec("llama_cpp").submodule_search_locations[0]
    return ctypes.CDLL(glob.glob(os.path.join(package, "lib", "libggml-base.so"))[0])


def quantize(name: str, values: np.ndarray, importance: np.ndarray | None = None) -> np.ndarray:
    """`importance`: one weight per column of the rows of `values`, as llama-quantize --imatrix."""
    c_name, elements, size = TYPES[name]
    values = np.ascontiguousarray(values, np.float32)
    rows = values.size // values.shape[-1] if importance is not None else 1
    out = np.zeros(values.size // elements * size, np.uint8)
    library = _library()
    library.ggml_quantize_init(ctypes.c_int(type_id(name)))
    function = getattr(library, f"quantize_{c_name}")
    weights = importance.ctypes.data_as(ctypes.c_void_p) if importance is not None else None
    function(values.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p),
             ctypes.c_int64(rows), ctypes.c_int64(values.size // rows), weights)
    return out


def type_id(name: str) -> int:
    import gguf
    return NEWER_IDS[name] if name in NEWER_IDS else int(gguf.GGMLQuantizationType[name])


def dequantize(name: str, data: np.ndarray) -> np.ndarray:
    c_name, elements, size = TYPES[name]
    data = np.ascontiguousarray(data, np.uint8)
    out = np.zeros(data.size // size * elements, np.float32)
    function = getattr(_library(), f"dequantize_row_{c_name}")
    function(data.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p),
             ctypes.c_int64(out.size))
    return out
