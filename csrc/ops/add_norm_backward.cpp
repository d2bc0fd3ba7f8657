// simba::add_norm_backward: gradients of simba::add_norm from the new residual that it returned
// (formulas: kernels/add_norm_backward). Returns the gradients of x (in grad_normed's dtype),
// residual (in new_residual's), weight and bias (D) (in the accumulate type); of an absent argument
// empty. `length` is L, the rows of the residual (of x without one), which `indices` pick from.
#include "kernels/add_norm_backward/add_norm_backward.h"

#include <torch/csrc/stable/library.h>

#include <tuple>

#include "csrc/ops/launch.h"
#include "csrc/ops/picked_rows.h"
#include "csrc/ops/views.h"
#ifdef SIMBA_WITH_CUDA
#include "kernels/add_norm_backward/add_norm_backward_cuda.h"
#endif

namespace simba::ops {
namespace {

template <typename T, typename R>
void run_cpu(kernels::AddNormBackwardParams<T, R> params, const Tensor& lead) {
  using Acc = kernels::AccumulateType<T>;
  const std::int64_t scratch_size = kernels::add_norm_backward_scratch(params);
  const Tensor scratch = empty({scratch_size}, accumulate_type(lead.scalar_type()), lead);
  params.scratch = mutable_data<Acc>(scratch);
  parallel_items(kernels::add_norm_backward_work_items(params),
                 params.batch * params.picked.sources * params.channels,
                 [&](std::int64_t begin, std::int64_t end) {
                   kernels::add_norm_backward_cpu(params, begin, end);
                 });
  parallel_items(params.channels, scratch_size, [&](std::int64_t begin, std::int64_t end) {
    kernels::add_norm_backward_sum_cpu(params, begin, end);
  });
}

// A template in all it names: a build without CUDA never looks the launchers up.
template <typename Params, typename Stream>
auto run_cuda(Params params, const Tensor& lead, Stream stream) {
  using Acc = typename Params::Acc;
  const Tensor scratch =
      empty({add_norm_backward_scratch_cuda(params)}, accumulate_type(lead.scalar_type()), lead);
  params.scratch = mutable_data<Acc>(scratch);
  return add_norm_backward_cuda(params, stream);
}

std::tuple<Tensor, Tensor, Tensor, Tensor> add_norm_backward(
    const Tensor& new_residual, const Tensor& weight, const OptionalTensor& bias,
    const OptionalTensor& indices, double eps, const Tensor& grad_normed,
    const OptionalTensor& grad_new_residual, bool has_residual, std::int64_t length) {
  const Checks check("add_norm_backward");
  const Tensor grad = last_dimension_contiguous(grad_normed);
  check.leading("grad_normed", grad, 3, "(B, K, D)");
  const std::int64_t batch = grad.size(0), kept = grad.size(1), channels = grad.size(2);
  const ScalarType dtype = grad.scalar_type(), acc = accumulate_type(dtype);
  check.same_device("new_residual", new_residual, "grad_normed", grad);
  check.shape("new_residual", new_residual, "(B, K, D)", {batch, kept, channels});
  const bool wide = new_residual.scalar_type() != dtype;
  if (wide) check.dtype("new_residual", new_residual, acc);
  check.last_dimension_contiguous("new_residual", new_residual);
  check.parameter("weight", weight, "(D)", {channels}, "grad_normed", grad);
  check.parameter("bias", bias, "(D)", {channels}, "grad_normed", grad);
  OptionalTensor grad_residual_in;
  if (grad_new_residual) grad_residual_in = last_dimension_contiguous(*grad_new_residual);
  check.data("grad_new_residual", grad_residual_in, "(B, K, D)", {batch, kept, channels},
             "new_residual", new_residual);
  if (indices) {
    check.indices(*indices, batch, length, "grad_normed", grad);
    if (indices->size(1) != kept) {
      check.fail("indices", "(B, K) with K = " + std::to_string(kept),
                 "K = " + std::to_string(indices->size(1)));
    }
  } else if (length != kept) {
    check.fail("length", std::to_string(kept) + " without indices", std::to_string(length));
  }

  const PickedRowsTensors links = link_picked_rows(check, indices, batch, length, grad);
  const ScalarType residual_dtype = new_residual.scalar_type();
  const Tensor weight_acc = contiguous_as(weight, acc);
  const Tensor grad_x = empty({batch, has_residual ? kept : length, channels}, dtype, grad);
  const Tensor grad_residual =
      empty_where(has_residual, {batch, length, channels}, residual_dtype, grad);
  const Tensor grad_weight = empty({channels}, acc, grad);
  const Tensor grad_bias = empty_where(bias.has_value(), {channels}, acc, grad);

  const auto run = [&]<typename T, typename R>(std::type_identity<T>, std::type_identity<R>) {
    using Acc = kernels::AccumulateType<T>;
    const kernels::AddNormBackwardParams<T, R> params{
        .batch = batch,
        .channels = channels,
        .picked = links.picked,
        .new_residual = rows<R>(new_residual),
        .weight = data<Acc>(weight_acc),
        .eps = eps,
        .grad_normed = rows<T>(grad),
        .grad_new_residual = rows<R>(grad_residual_in),
        .grad_x = mutable_rows<T>(grad_x),
        .grad_residual = has_residual ? mutable_rows<R>(grad_residual) : kernels::Rows<R>{},
        .grad_weight = mutable_data<Acc>(grad_weight),
        .grad_bias = bias ? mutable_data<Acc>(grad_bias) : nullptr,
        .scratch = nullptr,
    };
    launch(
        check, grad, [&] { run_cpu(params, grad); },
        [&](auto stream) { return run_cuda(params, grad, stream); });
  };
  dispatch_data(dtype, [&]<typename T>(std::type_identity<T> type) {
    if (wide) {
      run(type, std::type_identity<kernels::AccumulateType<T>>{});
    } else {
      run(type, type);
    }
  });
  return {grad_x, grad_residual, grad_weight, grad_bias};
}

}  // namespace
}  // namespace simba::ops

STABLE_TORCH_LIBRARY_FRAGMENT(simba, m) {
  m.def(
      "add_norm_backward(Tensor new_residual, Tensor weight, Tensor? bias, Tensor? indices, float "
      "eps, Tensor grad_normed, Tensor? grad_new_residual, bool has_residual, SymInt length) -> "
      "(Tensor, Tensor, Tensor, Tensor)");
}
STABLE_TORCH_LIBRARY_IMPL(simba, CPU, m) {
  m.impl("add_norm_backward", TORCH_BOX(&simba::ops::add_norm_backward));
}
#ifdef SIMBA_WITH_CUDA
STABLE_TORCH_LIBRARY_IMPL(simba, CUDA, m) {
  m.impl("add_norm_backward", TORCH_BOX(&simba::ops::add_norm_backward));
}
#endif
