// The inputs that selective_scan and influence_scores share, and their checks.
#pragma once

#include <cstdint>

#include "csrc/ops/checks.h"

namespace simba::ops {

struct ScanShape {
  std::int64_t batch;     // B
  std::int64_t length;    // L
  std::int64_t channels;  // D
  std::int64_t states;    // N
};

// u, delta (B, L, D), B, C (B, L, N) of one data dtype; A (D, N) and delta_bias (D) parameters.
ScanShape check_scan_inputs(const Checks& check, const Tensor& u, const Tensor& delta,
                            const Tensor& A, const Tensor& B, const Tensor& C,
                            const OptionalTensor& delta_bias);

// A (D, N) with at least one state; returns N.
std::int64_t check_states(const Checks& check, const Tensor& A);

}  // namespace simba::ops
