#include "kernels/scalar.h"
#include "kernels/ssm_step/ssm_step.h"

namespace simba::kernels {

template <typename T>
void ssm_step_cpu(const SsmStepParams<T>& params, std::int64_t begin, std::int64_t end) {
  using Acc = AccumulateType<T>;
  for (std::int64_t at = begin; at < end; ++at) {
    const std::int64_t s = at / params.channels, d = at % params.channels;
    const T* dt = params.dt_B_C + s * (params.dt_rank + 2 * params.states);
    const T* B = dt + params.dt_rank;
    const T* C = B + params.states;
    const T raw = round_to<T>(dot(dt, params.dt_proj + d * params.dt_rank, params.dt_rank));
    const Acc delta = softplus(to_accumulate(raw) + params.delta_bias[d]);
    const Acc u = to_accumulate(params.u[at]);
    const Acc* A = params.A + d * params.states;
    Acc* state = params.state + at * params.states;
    Acc y = params.D[d] * u;
    for (std::int64_t n = 0; n < params.states; ++n) {
      state[n] = std::exp(delta * A[n]) * state[n] + delta * u * to_accumulate(B[n]);
      y += state[n] * to_accumulate(C[n]);
    }
    params.out[at] = round_to<T>(y * silu(to_accumulate(params.z[at])));
  }
}

template void ssm_step_cpu(const SsmStepParams<float>&, std::int64_t, std::int64_t);
template void ssm_step_cpu(const SsmStepParams<double>&, std::int64_t, std::int64_t);
template void ssm_step_cpu(const SsmStepParams<BFloat16>&, std::int64_t, std::int64_t);
template void ssm_step_cpu(const SsmStepParams<Float16>&, std::int64_t, std::int64_t);

}  // namespace simba::kernels
