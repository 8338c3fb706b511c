// The table of an ISA file, made of what it and the shared sources define.

void ternary_scale(const TernaryScale& job) {
  for (int64_t m = 0; m < job.rows; ++m) {
    const int32_t* dots = job.dots + m * kStripRows;
    float* out = job.out + m * job.stride;
    for (int64_t n = 0; n < job.outputs; ++n)
      out[n] = (static_cast<float>(dots[n]) * job.inverse_scales[m]) * job.scale;
    if (job.bias == nullptr) continue;
    for (int64_t n = 0; n < job.outputs; ++n) out[n] = out[n] + job.bias[n];
  }
}

constexpr Table make_table(const char* name, const char* ternary_name,
                           const BlockKernels* block) {
  return {.name = name,
          .ternary_name = ternary_name,
          .block = block,
          .ternary_dots = ternary_dots,
          .ternary_scale = ternary_scale,
          .float_dots = float_dots,
          .decode_f16 = decode_f16,
          .decode_bf16 = decode_bf16,
          .decode_q8_0 = decode_q8_0,
          .decode_q4_0 = decode_q4_0,
          .decode_q4_1 = decode_q4_1,
          .encode_f16 = encode_f16,
          .quantise = quantise,
          .encode_i8 = encode_i8,
          .decode_i8 = decode_i8,
          .rms_norm = rms_norm,
          .layer_norm = layer_norm,
          .gate = gate,
          .add = add,
          .add_scaled = add_scaled,
          .softcap = softcap,
          .hadamard = hadamard,
          .rotate = rotate,
          .exponential = exponential_row,
          .softmax_chunk = softmax_chunk,
          .scale = scale,
          .accumulate = accumulate};
}
