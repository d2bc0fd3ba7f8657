// The inputs that causal_conv1d and its gradients share, and their checks.
#pragma once

#include <cstdint>

#include "csrc/ops/checks.h"

namespace simba::ops {

struct ConvShape {
  std::int64_t batch;     // B
  std::int64_t length;    // L
  std::int64_t channels;  // D
  std::int64_t width;     // K
};

// x (B, L, D) of a data dtype; weight (D, K), K >= 1, and bias (D) parameters.
ConvShape check_conv_inputs(const Checks& check, const Tensor& x, const Tensor& weight,
                            const OptionalTensor& bias);

}  // namespace simba::ops
