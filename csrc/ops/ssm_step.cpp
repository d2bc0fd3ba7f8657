// simba::ssm_step: dt_proj, the step of the states and the gate for one token of each of S
// sequences (formula: kernels/ssm_step). Returns (S, D) in u's dtype; state (S, D, N), in the
// accumulate type, moves on in place. No float64 on a GPU.
#include "kernels/ssm_step/ssm_step.h"

#include <torch/csrc/stable/library.h>

#include "csrc/ops/launch.h"
#include "csrc/ops/views.h"
#ifdef SIMBA_WITH_CUDA
#include "kernels/ssm_step/ssm_step_cuda.h"
#endif

namespace simba::ops {
namespace {

Tensor ssm_step(const Tensor& state, const Tensor& u, const Tensor& dt_B_C, const Tensor& dt_proj,
                const Tensor& A, const Tensor& D, const Tensor& z, const Tensor& delta_bias) {
  const Checks check("ssm_step");
  check.leading("u", u, 2, "(S, D)");
  check.no_float64_on_gpu("u", u);
  check.rank("A", A, 2, "(D, N)");
  check.rank("dt_proj", dt_proj, 2, "(D, R)");
  const std::int64_t sequences = u.size(0), channels = u.size(1);
  const std::int64_t states = A.size(1), dt_rank = dt_proj.size(1);
  const ScalarType dtype = u.scalar_type();
  const ScalarType acc = accumulate_type(dtype);
  check.state("state", state, "(S, D, N)", {sequences, channels, states}, acc, "u", u);
  if (!state.is_contiguous()) check.fail("state", "contiguous", "a strided tensor");
  check.data("dt_B_C", dt_B_C, "(S, R + 2 N)", {sequences, dt_rank + 2 * states}, "u", u);
  check.data("dt_proj", dt_proj, "(D, R)", {channels, dt_rank}, "u", u);
  check.parameter("A", A, "(D, N)", {channels, states}, "u", u);
  check.parameter("D", D, "(D)", {channels}, "u", u);
  check.data("z", z, "(S, D)", {sequences, channels}, "u", u);
  check.parameter("delta_bias", delta_bias, "(D)", {channels}, "u", u);

  const Tensor u_rows = contiguous_as(u, dtype), z_rows = contiguous_as(z, dtype);
  const Tensor inputs = contiguous_as(dt_B_C, dtype), weight = contiguous_as(dt_proj, dtype);
  const Tensor A_acc = contiguous_as(A, acc), D_acc = contiguous_as(D, acc);
  const Tensor bias = contiguous_as(delta_bias, acc);
  Tensor out = empty({sequences, channels}, dtype, u);
  dispatch_data(dtype, [&]<typename T>(std::type_identity<T>) {
    using Acc = kernels::AccumulateType<T>;
    const kernels::SsmStepParams<T> params{.sequences = sequences,
                                           .channels = channels,
                                           .states = states,
                                           .dt_rank = dt_rank,
                                           .state = mutable_data<Acc>(state),
                                           .u = data<T>(u_rows),
                                           .dt_B_C = data<T>(inputs),
                                           .z = data<T>(z_rows),
                                           .dt_proj = data<T>(weight),
                                           .A = data<Acc>(A_acc),
                                           .D = data<Acc>(D_acc),
                                           .delta_bias = data<Acc>(bias),
                                           .out = mutable_data<T>(out)};
    const auto cpu = [&] {
      const std::int64_t items = sequences * channels;
      parallel_items(items, items * (dt_rank + states), [&](std::int64_t begin, std::int64_t end) {
        kernels::ssm_step_cpu(params, begin, end);
      });
    };
    if constexpr (std::is_same_v<T, double>) {
      cpu();
    } else {
      launch(check, u, cpu, [&](auto stream) { return ssm_step_cuda(params, stream); });
    }
  });
  return out;
}

}  // namespace
}  // namespace simba::ops

STABLE_TORCH_LIBRARY_FRAGMENT(simba, m) {
  m.def(
      "ssm_step(Tensor(a!) state, Tensor u, Tensor dt_B_C, Tensor dt_proj, Tensor A, Tensor D, "
      "Tensor z, Tensor delta_bias) -> Tensor");
}
STABLE_TORCH_LIBRARY_IMPL(simba, CPU, m) { m.impl("ssm_step", TORCH_BOX(&simba::ops::ssm_step)); }
#ifdef SIMBA_WITH_CUDA
STABLE_TORCH_LIBRARY_IMPL(simba, CUDA, m) { m.impl("ssm_step", TORCH_BOX(&simba::ops::ssm_step)); }
#endif
