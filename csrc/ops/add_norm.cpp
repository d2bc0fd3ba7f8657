// simba::add_norm: residual addition, then RMSNorm or (with a bias) LayerNorm (formula:
// kernels/add_norm). Returns the normed rows in x's dtype and the new residual. `indices` (B, K)
// pick rows of the residual, whose x has K rows already, or rows of x where there is no residual.
#include "kernels/add_norm/add_norm.h"

#include <torch/csrc/stable/library.h>

#include <tuple>

#include "csrc/ops/launch.h"
#include "csrc/ops/views.h"
#ifdef SIMBA_WITH_CUDA
#include "kernels/add_norm/add_norm_cuda.h"
#endif

namespace simba::ops {
namespace {

// Rows per batch row of the outputs.
std::int64_t check_rows(const Checks& check, const Tensor& x, const OptionalTensor& residual,
                        const OptionalTensor& indices) {
  const std::int64_t batch = x.size(0), channels = x.size(2);
  if (residual) {
    const ScalarType acc = accumulate_type(x.scalar_type());
    check.same_device("residual", *residual, "x", x);
    check.rank("residual", *residual, 3, "(B, L, D)");
    if (residual->scalar_type() != x.scalar_type()) check.dtype("residual", *residual, acc);
    check.last_dimension_contiguous("residual", *residual);
    const std::int64_t length = indices ? residual->size(1) : x.size(1);
    check.shape("residual", *residual, "(B, L, D)", {batch, length, channels});
  }
  if (!indices) return x.size(1);
  check.indices(*indices, batch, residual ? residual->size(1) : x.size(1), "x", x);
  const std::int64_t kept = indices->size(1);
  if (residual) check.shape("x", x, "(B, K, D)", {batch, kept, channels});
  return kept;
}

template <typename T, typename R>
void run(const Checks& check, const Tensor& x, const OptionalTensor& residual, const Tensor& weight,
         const OptionalTensor& bias, const OptionalTensor& indices, double eps,
         const Tensor& normed, const Tensor& new_residual) {
  using Acc = kernels::AccumulateType<T>;
  const std::int64_t batch = normed.size(0), kept = normed.size(1), channels = normed.size(2);
  const kernels::AddNormParams<T, R> params{
      .batch = batch,
      .rows = kept,
      .channels = channels,
      .x = rows<T>(x),
      .residual = rows<R>(residual),
      .indices = data<std::int64_t>(indices),
      .weight = data<Acc>(weight),
      .bias = data<Acc>(bias),
      .normed = mutable_rows<T>(normed),
      .new_residual = mutable_rows<R>(new_residual),
      .eps = eps,
  };
  launch(
      check, x,
      [&] {
        parallel_items(batch * kept, batch * kept * channels,
                       [&](std::int64_t begin, std::int64_t end) {
                         kernels::add_norm_cpu(params, begin, end);
                       });
      },
      [&](auto stream) { return add_norm_cuda(params, stream); });
}

std::tuple<Tensor, Tensor> add_norm(const Tensor& x, const OptionalTensor& residual,
                                    const Tensor& weight, const OptionalTensor& bias,
                                    const OptionalTensor& indices, double eps,
                                    bool residual_in_fp32) {
  const Checks check("add_norm");
  check.leading("x", x, 3, "(B, L, D)");
  const std::int64_t batch = x.size(0), channels = x.size(2);
  const std::int64_t kept = check_rows(check, x, residual, indices);
  check.parameter("weight", weight, "(D)", {channels}, "x", x);
  check.parameter("bias", bias, "(D)", {channels}, "x", x);

  const ScalarType dtype = x.scalar_type();
  const ScalarType acc = accumulate_type(dtype);
  const bool wide = residual_in_fp32 || (residual && residual->scalar_type() != dtype);
  const ScalarType residual_dtype = wide ? acc : dtype;
  const bool widen = residual && residual->scalar_type() != residual_dtype;
  const OptionalTensor old = widen ? contiguous_as(residual, residual_dtype) : residual;
  const Tensor weight_acc = contiguous_as(weight, acc);
  const OptionalTensor bias_acc = contiguous_as(bias, acc);
  Tensor normed = empty({batch, kept, channels}, dtype, x);
  Tensor new_residual = empty({batch, kept, channels}, residual_dtype, x);

  dispatch_data(dtype, [&]<typename T>(std::type_identity<T>) {
    using Acc = kernels::AccumulateType<T>;
    if (wide) {
      run<T, Acc>(check, x, old, weight_acc, bias_acc, indices, eps, normed, new_residual);
    } else {
      run<T, T>(check, x, old, weight_acc, bias_acc, indices, eps, normed, new_residual);
    }
  });
  return {normed, new_residual};
}

}  // namespace
}  // namespace simba::ops

STABLE_TORCH_LIBRARY_FRAGMENT(simba, m) {
  m.def(
      "add_norm(Tensor x, Tensor? residual, Tensor weight, Tensor? bias=None, Tensor? "
      "indices=None, "
      "float eps=1e-5, bool residual_in_fp32=False) -> (Tensor, Tensor)");
}
STABLE_TORCH_LIBRARY_IMPL(simba, CPU, m) { m.impl("add_norm", TORCH_BOX(&simba::ops::add_norm)); }
#ifdef SIMBA_WITH_CUDA
STABLE_TORCH_LIBRARY_IMPL(simba, CUDA, m) { m.impl("add_norm", TORCH_BOX(&simba::ops::add_norm)); }
#endif
