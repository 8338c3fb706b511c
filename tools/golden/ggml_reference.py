"""ggml's reference quantisers (quantize_row_*_ref, dequantize_row_*), called through ctypes in the
libggml-base.so that llama-cpp-python installs. That library is built without vector flags, so it
has no fused multiply-add: the plain C semantics."""
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
    "Q6_K": ("q6_K", 256, 210),
    "TQ1_0": ("tq1_0", 256, 54),
    "TQ2_0": ("tq2_0", 256, 66),
}


def _library() -> ctypes.CDLL:
    package = importlib.util.find_spec("llama_cpp").submodule_search_locations[0]
    return ctypes.CDLL(glob.glob(os.path.join(package, "lib", "libggml-base.so"))[0])


def quantize(name: str, values: np.ndarray) -> np.ndarray:
    c_name, elements, size = TYPES[name]
    values = np.ascontiguousarray(values, np.float32)
    out = np.zeros(values.size // elements * size, np.uint8)
    function = getattr(_library(), f"quantize_row_{c_name}_ref")
    function(values.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p),
             ctypes.c_int64(values.size))
    return out


def dequantize(name: str, data: np.ndarray) -> np.ndarray:
    c_name, elements, size = TYPES[name]
    data = np.ascontiguousarray(data, np.uint8)
    out = np.zeros(data.size // size * elements, np.float32)
    function = getattr(_library(), f"dequantize_row_{c_name}")
    function(data.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p),
             ctypes.c_int64(out.size))
    return out
