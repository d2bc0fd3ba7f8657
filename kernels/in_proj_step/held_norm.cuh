// in_proj's input, r = hidden + residual normalised, for all sequences at once: every block does it
// for itself, which costs less than a kernel for it. A thread holds kHeld packets of every row, so
// that all loads are under way at once, since the time until the first of them is what this costs.
#pragma once

#include "kernels/cuda/packet.cuh"
#include "kernels/cuda/warp.cuh"
#include "kernels/in_proj_step/in_proj_step.h"
#include "kernels/in_proj_step/norm_scale.cuh"

namespace simba::kernels {

// For a block of kWarps warps, 16 or a divisor, and d_model up to kLongest, a multiple of kPacket.
// The sums' order depends on d_model alone: packets of 32 lanes, then those groups one by one.
template <typename T, int kWarps, int kRows>
class HeldNorm {
 public:
  static constexpr int kPacket = 8;
  static constexpr int kGroups = 16;
  static constexpr int kHeld = kGroups / kWarps;
  static constexpr int kThreads = kWarps * kWarpSize;
  static constexpr int kLongest = kHeld * kPacket * kThreads;

  // Takes the norm's weights, which no kernel writes.
  __device__ explicit HeldNorm(const InProjStepParams<T>& params) : params_(params) {
#pragma unroll
    for (int i = 0; i < kHeld; ++i) {
      if (exists(i)) weight_[i] = load_packet<kPacket>(params.norm_weight + at(i));
    }
  }

  __device__ void load() {
#pragma unroll
    for (int s = 0; s < kRows; ++s) {
#pragma unroll
      for (int i = 0; i < kHeld; ++i) {
        if (s >= params_.rows || !exists(i)) continue;
        const std::int64_t place = s * params_.d_model + at(i);
        hidden_[s][i] = load_packet<kPacket>(params_.hidden + place);
        if (params_.residual) residual_[s][i] = load_packet<kPacket>(params_.residual + place);
      }
    }
  }

  // Block 0 writes r as well.
  __device__ void write(T* normed) const {
    __shared__ float group_sums[kRows][kGroups];
    float r[kRows][kHeld][kPacket];
#pragma unroll
    for (int s = 0; s < kRows; ++s) {
#pragma unroll
      for (int i = 0; i < kHeld; ++i) {
        float hidden[kPacket], squares = 0;
        unpack(hidden_[s][i], hidden);
        unpack(residual_[s][i], r[s][i]);
#pragma unroll
        for (int k = 0; k < kPacket; ++k) {
          r[s][i][k] = params_.residual ? hidden[k] + r[s][i][k] : hidden[k];
          squares += r[s][i][k] * r[s][i][k];
        }
        if (blockIdx.x == 0 && s < params_.rows && exists(i)) {
          store_packet(pack<float>(r[s][i]), params_.new_residual + s * params_.d_model + at(i));
        }
        squares = warp_sum(squares);
        const int group = static_cast<int>(threadIdx.x) / kWarpSize + i * kWarps;
        if (threadIdx.x % kWarpSize == 0) group_sums[s][group] = squares;
      }
    }
    __syncthreads();
#pragma unroll
    for (int s = 0; s < kRows; ++s) {
      if (s >= params_.rows) break;
      float squares = 0;
#pragma unroll
      for (int i = 0; i < kGroups; ++i) squares += group_sums[s][i];
      const float scale = norm_scale(squares, params_.d_model, params_.eps);
#pragma unroll
      for (int i = 0; i < kHeld; ++i) {
        if (!exists(i)) continue;
        float weight[kPacket];
        unpack(weight_[i], weight);
#pragma unroll
        for (int k = 0; k < kPacket; ++k) r[s][i][k] = r[s][i][k] * scale * weight[k];
        *reinterpret_cast<Packet<T, kPacket>*>(normed + s * params_.d_model + at(i)) =
            pack<T>(r[s][i]);
      }
    }
    __syncthreads();
  }

 private:
  __device__ static int at(int i) {
    return (static_cast<int>(threadIdx.x) + i * kThreads) * kPacket;
  }
  __device__ bool exists(int i) const { return at(i) < params_.d_model; }

  const InProjStepParams<T>& params_;
  Packet<float, kPacket> weight_[kHeld];
  Packet<T, kPacket> hidden_[kRows][kHeld] = {};
  Packet<float, kPacket> residual_[kRows][kHeld] = {};
};

}  // namespace simba::kernels
