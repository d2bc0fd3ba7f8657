// The GELU activation.
#pragma once

#include <ATen/core/Tensor.h>

namespace simba {

// In place; x: (R, C) with contiguous rows. tanh: by the tanh formula instead of erf. On the CPU a
// row's bits do not depend on the other rows.
void apply_gelu(const at::Tensor& x, bool tanh);

}  // namespace simba
