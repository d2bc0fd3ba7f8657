// simba::gemv: x weight^T for at most 4 rows (formula: kernels/gemv). Returns (S, M) in x's dtype.
// No float64 on a GPU.
#include "kernels/gemv/gemv.h"

#include <torch/csrc/stable/library.h>

#include "csrc/ops/launch.h"
#include "csrc/ops/views.h"
#ifdef SIMBA_WITH_CUDA
#include "kernels/gemv/gemv_cuda.h"
#endif

namespace simba::ops {
namespace {

Tensor gemv(const Tensor& x, const Tensor& weight) {
  const Checks check("gemv");
  check.leading("x", x, 2, "(S, K)");
  check.no_float64_on_gpu("x", x);
  check.rank("weight", weight, 2, "(M, K)");
  const std::int64_t rows = x.size(0), inner = x.size(1), outer = weight.size(0);
  check.data("weight", weight, "(M, K)", {outer, inner}, "x", x);
  if (rows > kernels::kFewRows) check.fail("x", "of at most 4 rows", std::to_string(rows));
  const Tensor x_rows = contiguous_as(x, x.scalar_type());
  const Tensor weight_rows = contiguous_as(weight, x.scalar_type());
  Tensor out = empty({rows, outer}, x.scalar_type(), x);
  dispatch_data(x.scalar_type(), [&]<typename T>(std::type_identity<T>) {
    const kernels::GemvParams<T> params{.rows = rows,
                                        .inner = inner,
                                        .outer = outer,
                                        .x = data<T>(x_rows),
                                        .weight = data<T>(weight_rows),
                                        .out = mutable_data<T>(out)};
    const auto cpu = [&] {
      parallel_items(outer, outer * inner * rows, [&](std::int64_t begin, std::int64_t end) {
        kernels::gemv_cpu(params, begin, end);
      });
    };
    if constexpr (std::is_same_v<T, double>) {
      cpu();
    } else {
      launch(check, x, cpu, [&](auto stream) { return gemv_cuda(params, stream); });
    }
  });
  return out;
}

}  // namespace
}  // namespace simba::ops

STABLE_TORCH_LIBRARY_FRAGMENT(simba, m) { m.def("gemv(Tensor x, Tensor weight) -> Tensor"); }
STABLE_TORCH_LIBRARY_IMPL(simba, CPU, m) { m.impl("gemv", TORCH_BOX(&simba::ops::gemv)); }
#ifdef SIMBA_WITH_CUDA
STABLE_TORCH_LIBRARY_IMPL(simba, CUDA, m) { m.impl("gemv", TORCH_BOX(&simba::ops::gemv)); }
#endif
