// simba::gate: y * silu(z), of the rows that `indices` (B, K) pick in each batch row, or of all.
// Returns (B, K, D) or (B, L, D) in y's dtype.
#include "kernels/gate/gate.h"

#include <torch/csrc/stable/library.h>

#include "csrc/ops/launch.h"
#include "csrc/ops/views.h"
#ifdef SIMBA_WITH_CUDA
#include "kernels/gate/gate_cuda.h"
#endif

namespace simba::ops {
namespace {

Tensor gate(const Tensor& y, const Tensor& z, const OptionalTensor& indices) {
  const Checks check("gate");
  check.leading("y", y, 3, "(B, L, D)");
  const std::int64_t batch = y.size(0), length = y.size(1), channels = y.size(2);
  check.data("z", z, "(B, L, D)", {batch, length, channels}, "y", y);
  if (indices) check.indices(*indices, batch, length, "y", y);

  const std::int64_t kept = indices ? indices->size(1) : length;
  Tensor out = empty({batch, kept, channels}, y.scalar_type(), y);
  dispatch_data(y.scalar_type(), [&]<typename T>(std::type_identity<T>) {
    const kernels::GateParams<T> params{
        .batch = batch,
        .rows = kept,
        .channels = channels,
        .y = rows<T>(y),
        .z = rows<T>(z),
        .indices = data<std::int64_t>(indices),
        .out = mutable_rows<T>(out),
    };
    launch(
        check, y,
        [&] {
          parallel_items(
              batch * kept, batch * kept * channels,
              [&](std::int64_t begin, std::int64_t end) { kernels::gate_cpu(params, begin, end); });
        },
        [&](auto stream) { return gate_cuda(params, stream); });
  });
  return out;
}

}  // namespace
}  // namespace simba::ops

STABLE_TORCH_LIBRARY_FRAGMENT(simba, m) {
  m.def("gate(Tensor y, Tensor z, Tensor? indices=None) -> Tensor");
}
STABLE_TORCH_LIBRARY_IMPL(simba, CPU, m) { m.impl("gate", TORCH_BOX(&simba::ops::gate)); }
#ifdef SIMBA_WITH_CUDA
STABLE_TORCH_LIBRARY_IMPL(simba, CUDA, m) { m.impl("gate", TORCH_BOX(&simba::ops::gate)); }
#endif
