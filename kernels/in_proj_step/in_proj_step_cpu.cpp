#include "kernels/in_proj_step/in_proj_step.h"
#include "kernels/scalar.h"

namespace simba::kernels {
namespace {

// u of one channel of one sequence; the state moves on.
template <typename T>
T convolve(const InProjStepParams<T>& params, std::int64_t s, std::int64_t channel, T newest) {
  const std::int64_t older = params.width - 1;
  T* state = params.conv_state + (s * params.channels + channel) * older;
  const auto* weight = params.conv_weight + channel * params.width;
  AccumulateType<T> sum = params.conv_bias ? params.conv_bias[channel] : 0;
  for (std::int64_t k = 0; k < older; ++k) {
    sum += weight[k] * to_accumulate(state[k]);
    state[k] = k + 1 < older ? state[k + 1] : newest;
  }
  return round_to<T>(silu(sum + weight[older] * to_accumulate(newest)));
}

}  // namespace

template <typename T>
void in_proj_step_norm_cpu(const InProjStepParams<T>& params, T* normed, std::int64_t begin,
                           std::int64_t end) {
  using Acc = AccumulateType<T>;
  const std::int64_t d_model = params.d_model;
  for (std::int64_t s = begin; s < end; ++s) {
    const T* hidden = params.hidden + s * d_model;
    const Acc* residual = params.residual ? params.residual + s * d_model : nullptr;
    Acc* sums = params.new_residual + s * d_model;
    Acc squares = 0;
    for (std::int64_t i = 0; i < d_model; ++i) {
      sums[i] = to_accumulate(hidden[i]) + (residual ? residual[i] : 0);
      squares += sums[i] * sums[i];
    }
    const Acc mean = squares / static_cast<Acc>(d_model);
    const Acc scale = 1 / std::sqrt(mean + static_cast<Acc>(params.eps));
    for (std::int64_t i = 0; i < d_model; ++i) {
      normed[s * d_model + i] = round_to<T>(sums[i] * scale * params.norm_weight[i]);
    }
  }
}

template <typename T>
void in_proj_step_cpu(const InProjStepParams<T>& params, const T* normed, std::int64_t begin,
                      std::int64_t end) {
  const std::int64_t d_model = params.d_model;
  for (std::int64_t d = begin; d < end; ++d) {
    const T* x_weight = params.in_proj + d * d_model;
    const T* z_weight = params.in_proj + (params.channels + d) * d_model;
    for (std::int64_t s = 0; s < params.rows; ++s) {
      const T* row = normed + s * d_model;
      const std::int64_t at = s * params.channels + d;
      params.u[at] = convolve(params, s, d, round_to<T>(dot(row, x_weight, d_model)));
      params.z[at] = round_to<T>(dot(row, z_weight, d_model));
    }
  }
}

template void in_proj_step_norm_cpu(const InProjStepParams<float>&, float*, std::int64_t,
                                    std::int64_t);
template void in_proj_step_norm_cpu(const InProjStepParams<double>&, double*, std::int64_t,
                                    std::int64_t);
template void in_proj_step_norm_cpu(const InProjStepParams<BFloat16>&, BFloat16*, std::int64_t,
                                    std::int64_t);
template void in_proj_step_norm_cpu(const InProjStepParams<Float16>&, Float16*, std::int64_t,
                                    std::int64_t);
template void in_proj_step_cpu(const InProjStepParams<float>&, const float*, std::int64_t,
                               std::int64_t);
template void in_proj_step_cpu(const InProjStepParams<double>&, const double*, std::int64_t,
                               std::int64_t);
template void in_proj_step_cpu(const InProjStepParams<BFloat16>&, const BFloat16*, std::int64_t,
                               std::int64_t);
template void in_proj_step_cpu(const InProjStepParams<Float16>&, const Float16*, std::int64_t,
                               std::int64_t);

}  // namespace simba::kernels
