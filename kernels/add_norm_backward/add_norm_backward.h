// Gradients of add_norm.h from its new residual s, per row, with e = (s - mean) / sqrt(var + eps)
// (RMSNorm: mean 0), f = grad_normed weight, both means over the row's channels:
//   ds = (f - e mean(f e) - mean(f)) / sqrt(var + eps) + grad_new_residual   (RMSNorm: no mean(f))
//   dweight = sum over rows of grad_normed e         dbias = sum over rows of grad_normed
// dx is ds of the same row; dresidual is the sum of ds over the output rows picked from row l, 0
// where none was. Without a residual it is dx that has the source rows. Sums are taken in a fixed
// order. (T, T) rounds s to T, which the forward's own normed rows do not.
#pragma once

#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/picked_rows/picked_rows.h"
#include "kernels/views.h"

namespace simba::kernels {

// T: type of x and of the normed rows. R: type of both residuals, T or AccumulateType<T>.
template <typename T, typename R>
struct AddNormBackwardParams {
  using Acc = AccumulateType<T>;

  std::int64_t batch = 0;       // B
  std::int64_t channels = 0;    // D
  PickedRows picked;            // L source rows, R output rows
  Rows<const R> new_residual;   // (B, R, D)
  const Acc* weight = nullptr;  // (D)
  double eps = 0;
  Rows<const T> grad_normed;        // (B, R, D)
  Rows<const R> grad_new_residual;  // (B, R, D), optional: zeros

  Rows<T> grad_x;              // (B, R, D), or without grad_residual (B, L, D)
  Rows<R> grad_residual;       // (B, L, D), optional
  Acc* grad_weight = nullptr;  // (D)
  Acc* grad_bias = nullptr;    // (D), optional: present means LayerNorm
  Acc* scratch = nullptr;      // add_norm_backward_scratch elements
};

// On the CPU; the CUDA launcher has a scratch of its own.
template <typename T, typename R>
std::int64_t add_norm_backward_scratch(const AddNormBackwardParams<T, R>& params);

// First the work items, runs of source rows, which leave their shares of grad_weight and grad_bias
// in scratch; then the sums over runs, by channels.
template <typename T, typename R>
std::int64_t add_norm_backward_work_items(const AddNormBackwardParams<T, R>& params);
template <typename T, typename R>
void add_norm_backward_cpu(const AddNormBackwardParams<T, R>& params, std::int64_t begin,
                           std::int64_t end);
template <typename T, typename R>
void add_norm_backward_sum_cpu(const AddNormBackwardParams<T, R>& params, std::int64_t begin,
                               std::int64_t end);

}  // namespace simba::kernels
