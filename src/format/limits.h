// Bounds on what a checkpoint may hold. They are far above every published model and keep a
// hostile file from costing more than its own size in memory.
#pragma once

#include <cstdint>

namespace bittern::format {

// GGUF, as the reference reader has them (llama.cpp ggml/src/gguf.cpp).
inline constexpr uint64_t kStringBytesMax = uint64_t{1} << 30;
inline constexpr uint64_t kArrayElementsMax = uint64_t{1} << 30;
inline constexpr size_t kTensorNameBytesMax = 63;
inline constexpr uint32_t kDimensionsMax = 4;

// SafeTensors, as the reference reader has it (safetensors crate).
inline constexpr uint64_t kSafetensorsHeaderMax = 100'000'000;

// JSON files of a Hugging Face folder.
inline constexpr int64_t kConfigBytesMax = int64_t{16} << 20;
inline constexpr int64_t kTokenizerBytesMax = int64_t{256} << 20;
inline constexpr int64_t kChatTemplateBytesMax = int64_t{1} << 20;
inline constexpr int64_t kIndexBytesMax = int64_t{256} << 20;

}  // namespace bittern::format
