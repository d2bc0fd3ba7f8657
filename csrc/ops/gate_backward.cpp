// simba::gate_backward: gradients of simba::gate (formulas: kernels/gate_backward). Returns those
// of y and z (B, L, D) in y's dtype; rows that no index picks get zeros.
#include "kernels/gate_backward/gate_backward.h"

#include <torch/csrc/stable/library.h>

#include <tuple>

#include "csrc/ops/launch.h"
#include "csrc/ops/picked_rows.h"
#include "csrc/ops/views.h"
#ifdef SIMBA_WITH_CUDA
#include "kernels/gate_backward/gate_backward_cuda.h"
#endif

namespace simba::ops {
namespace {

std::tuple<Tensor, Tensor> gate_backward(const Tensor& y, const Tensor& z,
                                         const OptionalTensor& indices, const Tensor& grad_out) {
  const Checks check("gate_backward");
  check.leading("y", y, 3, "(B, L, D)");
  const std::int64_t batch = y.size(0), length = y.size(1), channels = y.size(2);
  check.data("z", z, "(B, L, D)", {batch, length, channels}, "y", y);
  if (indices) check.indices(*indices, batch, length, "y", y);
  const std::int64_t kept = indices ? indices->size(1) : length;
  const Tensor grad = last_dimension_contiguous(grad_out);
  check.data("grad_out", grad, indices ? "(B, K, D)" : "(B, L, D)", {batch, kept, channels}, "y",
             y);

  const PickedRowsTensors links = link_picked_rows(check, indices, batch, length, y);
  const Tensor grad_y = empty({batch, length, channels}, y.scalar_type(), y);
  const Tensor grad_z = empty({batch, length, channels}, y.scalar_type(), y);
  dispatch_data(y.scalar_type(), [&]<typename T>(std::type_identity<T>) {
    const kernels::GateBackwardParams<T> params{
        .batch = batch,
        .channels = channels,
        .picked = links.picked,
        .y = rows<T>(y),
        .z = rows<T>(z),
        .grad_out = rows<T>(grad),
        .grad_y = mutable_rows<T>(grad_y),
        .grad_z = mutable_rows<T>(grad_z),
    };
    launch(
        check, y,
        [&] {
          parallel_items(batch * length, batch * length * channels,
                         [&](std::int64_t begin, std::int64_t end) {
                           kernels::gate_backward_cpu(params, begin, end);
                         });
        },
        [&](auto stream) { return gate_backward_cuda(params, stream); });
  });
  return {grad_y, grad_z};
}

}  // namespace
}  // namespace simba::ops

STABLE_TORCH_LIBRARY_FRAGMENT(simba, m) {
  m.def("gate_backward(Tensor y, Tensor z, Tensor? indices, Tensor grad_out) -> (Tensor, Tensor)");
}
STABLE_TORCH_LIBRARY_IMPL(simba, CPU, m) {
  m.impl("gate_backward", TORCH_BOX(&simba::ops::gate_backward));
}
#ifdef SIMBA_WITH_CUDA
STABLE_TORCH_LIBRARY_IMPL(simba, CUDA, m) {
  m.impl("gate_backward", TORCH_BOX(&simba::ops::gate_backward));
}
#endif
