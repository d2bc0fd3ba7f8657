// The convolution's step of one channel of one sequence, for 4 weights a channel.
#pragma once

#include "kernels/cuda/fast_math.cuh"
#include "kernels/in_proj_step/in_proj_step.h"

namespace simba::kernels {

inline constexpr int kConvStepWidth = 4;

template <typename T>
class ConvStep {
 public:
  // Can be called before the newest input is known.
  __device__ void load(const InProjStepParams<T>& params, int s, std::int64_t channel) {
    const float4 weight = reinterpret_cast<const float4*>(params.conv_weight)[channel];
    weight_[0] = weight.x;
    weight_[1] = weight.y;
    weight_[2] = weight.z;
    weight_[3] = weight.w;
    if (params.conv_bias) bias_ = params.conv_bias[channel];
    const T* state = state_of(params, s, channel);
#pragma unroll
    for (int k = 0; k < kOlder; ++k) older_[k] = state[k];
  }

  // Returns u; the state moves on.
  __device__ T finish(const InProjStepParams<T>& params, int s, std::int64_t channel,
                      T newest) const {
    float sum = bias_;
#pragma unroll
    for (int k = 0; k < kOlder; ++k) sum += weight_[k] * to_accumulate(older_[k]);
    sum += weight_[kOlder] * to_accumulate(newest);
    T* state = state_of(params, s, channel);
#pragma unroll
    for (int k = 0; k < kOlder; ++k) state[k] = k + 1 < kOlder ? older_[k + 1] : newest;
    return round_to<T>(fast_silu<T>(sum));
  }

 private:
  static constexpr int kOlder = kConvStepWidth - 1;

  __device__ static T* state_of(const InProjStepParams<T>& params, int s, std::int64_t channel) {
    return params.conv_state + (s * params.channels + channel) * kOlder;
  }

  float weight_[kConvStepWidth] = {}, bias_ = 0;
  T older_[kOlder] = {};
};

}  // namespace simba::kernels
