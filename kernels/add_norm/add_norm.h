// The residual addition and the normalisation before a layer, per row r of (B, R):
//   s = x[r] + residual[indices[r]]            (absent residual: s = x[indices[r]]; absent indices:
//   r) RMSNorm (no bias): s / sqrt(mean(s^2) + eps) * weight LayerNorm (bias):  (s - mean(s)) /
//   sqrt(var(s) + eps) * weight + bias
// s itself is written as the new residual, in R: T, or float for 16-bit T.
#pragma once

#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/views.h"

namespace simba::kernels {

// T: type of x and of the normed rows. R: type of both residuals, T or AccumulateType<T>.
template <typename T, typename R>
struct AddNormParams {
  using Acc = AccumulateType<T>;

  std::int64_t batch = 0;     // B
  std::int64_t rows = 0;      // R, rows of the outputs per batch row
  std::int64_t channels = 0;  // D
  Rows<const T> x;            // (B, R, D), or (B, L, D) where indices pick rows of x
  Rows<const R> residual;     // (B, L, D), optional
  const std::int64_t* indices =
      nullptr;                  // (B, R) contiguous, optional; each within its batch row's L
  const Acc* weight = nullptr;  // (D)
  const Acc* bias = nullptr;    // (D), optional: present means LayerNorm
  Rows<T> normed;               // (B, R, D)
  Rows<R> new_residual;         // (B, R, D)
  double eps = 0;
};

// Work items: flat rows of (B, R).
template <typename T, typename R>
void add_norm_cpu(const AddNormParams<T, R>& params, std::int64_t begin, std::int64_t end);

}  // namespace simba::kernels
