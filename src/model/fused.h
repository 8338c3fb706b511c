// Where the rows of a part lie in a fused tensor.
#pragma once

#include <cstdint>
#include <vector>

#include "model/arch.h"

namespace bittern::model {

enum class QkvPart : uint8_t { query, key, value };

// Rows of one part, in the order of its heads.
std::vector<int32_t> fused_rows(FusedLayout layout, QkvPart part, int64_t head_count,
                                int64_t kv_head_count, int64_t head_dim);

// [first, first + count)
std::vector<int32_t> row_range(int64_t first, int64_t count);

// Result row -> stored row of GGUF files of the llama class, which hold the rows of q and k
// permuted per head from half to interleaved order (llama.cpp's converter): stored row
// h*d + 2j + p is row h*d + p*d/2 + j.
std::vector<int32_t> deinterleaved_rows(int64_t head_count, int64_t head_dim);

// The order that undoes `order`, a permutation.
std::vector<int32_t> inverse(const std::vector<int32_t>& order);

// rows[order[i]]; `rows` itself where `order` is empty, `order` where `rows` is.
std::vector<int32_t> compose(const std::vector<int32_t>& rows, const std::vector<int32_t>& order);

}  // namespace bittern::model
