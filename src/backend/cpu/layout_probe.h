// Which layout of ternary weights this machine runs faster when they come from memory: T2, or T1.6,
// which reads a fifth less and takes more instructions (kernel/pack.h). Measured once, for 50 ms
// (on a busy machine up to 200), and remembered in the folder of packed weights. Results are the
// same bits with both.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "backend/cpu/cpu_backend.h"
#include "base/log.h"

namespace bittern::backend {

// T1.6 against T2 with all threads of the pool, one row of activations: how many times as fast it
// goes through weights. Nothing where the memory for it is not there, or the
// machine is too busy.
std::optional<double> speed_of_dense(ThreadPool& pool, const kernel::TernaryKernels& t2,
                                     const kernel::DenseTernary& t16);

// The layout for `table` here: as BITTERN_TERNARY says (T2 or T1.6; Error{usage} for anything else,
// Error{unsupported} where T1.6 has no kernel), or as was measured before on such a machine (model
// of processor, system, threads, kernels: a line of `folder`/layouts), or as is measured now. T1.6
// without a folder and for models whose packed weights are so small (`packed_bytes`) that measuring
// takes longer than it gains.
TernaryLayout choose_ternary_layout(ThreadPool& pool, const kernel::Table& table,
                                    const std::optional<std::filesystem::path>& folder,
                                    int64_t packed_bytes, const Log& log);

}  // namespace bittern::backend
