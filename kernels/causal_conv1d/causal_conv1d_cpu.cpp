// Compiled once per CpuTarget. Lanes are channels. Work item: a tile of steps of one sequence, over
// all channels, so that memory is read in the order in which it lies. Inputs from before the
// sequence are rows in scratch like any others, so no step needs a case of its own.
#include "kernels/cpu_kernels.h"
#include "kernels/simd_math.h"

namespace simba::kernels {
namespace HWY_NAMESPACE {

template <typename T>
class Convolution {
 public:
  using Acc = AccumulateType<T>;

  explicit Convolution(const CausalConv1dParams<T>& params)
      : params_(params),
        stride_(ceil_div(params.channels, kLanes<Acc>) * kLanes<Acc>),
        weight_((params.width + 1) * stride_),
        older_((params.width - 1) * params.channels),
        inputs_(params.width - 1 + kTogether) {
    for (std::int64_t i = 0; i < stride_; ++i) {
      const bool inside = i < params.channels;
      for (std::int64_t k = 0; k < params.width; ++k) {
        weight_[k * stride_ + i] = inside ? params.weight[i * params.width + k] : Acc{0};
      }
      weight_[params.width * stride_ + i] = inside && params.bias ? params.bias[i] : Acc{0};
    }
  }

  // The steps from `first` on of sequence s, at most kConvTileSteps; the state after the last.
  void run(std::int64_t s, std::int64_t first) {
    const std::int64_t begin = params_.sequences.begin(s);
    const std::int64_t length = params_.sequences.end(s) - begin;
    const std::int64_t end = length - first < kConvTileSteps ? length : first + kConvTileSteps;
    batch_ = params_.sequences.batch(s);
    begin_ = begin;
    if (first < params_.width - 1) load_state(s);
    std::int64_t t = first;
    for (; t + kTogether <= end; t += kTogether) convolve_steps<kTogether>(t, end);
    for (; t < end; ++t) convolve_steps<1>(t, end);
    if (end == length) store_state(s, length);
  }

 private:
  static constexpr int kTogether = 4;

  // The input at step t of the sequence, K - 1 of them before its begin.
  const T* input(std::int64_t t) const {
    if (t < 0) return &older_[(params_.width - 1 + t) * params_.channels];
    return params_.x.row(batch_, begin_ + t);
  }

  void load_state(std::int64_t s) {
    const std::int64_t channels = params_.channels, older = params_.width - 1;
    const T* state = params_.initial_state ? params_.initial_state + s * channels * older : nullptr;
    for (std::int64_t k = 0; k < older; ++k) {
      for (std::int64_t i = 0; i < channels; ++i) {
        older_[k * channels + i] = state ? state[i * older + k] : T{};
      }
    }
  }

  void store_state(std::int64_t s, std::int64_t length) const {
    const std::int64_t channels = params_.channels, older = params_.width - 1;
    T* state = params_.last_state + s * channels * older;
    for (std::int64_t k = 0; k < older; ++k) {
      const T* newest = input(length - older + k);
      for (std::int64_t i = 0; i < channels; ++i) state[i * older + k] = newest[i];
    }
  }

  // Steps [t, t + kCount): silu is a long chain of operations, several steps at once hide it.
  template <int kCount>
  void convolve_steps(std::int64_t t, std::int64_t end) {
    const std::int64_t older = params_.width - 1;
    for (std::int64_t k = 0; k < older + kCount; ++k) inputs_[k] = input(t - older + k);
    const T* ahead[kCount];
    T* out[kCount];
    for (int j = 0; j < kCount; ++j) {
      out[j] = params_.out.row(batch_, begin_ + t + j);
      ahead[j] = input(t + j + kCount < end ? t + j + kCount : end - 1);
    }
    for (std::int64_t i = 0; i < params_.channels; i += kLanes<Acc>) {
      if (params_.width == 4) {
        convolve_vectors<4, kCount>(i, ahead, out);
      } else {
        convolve_vectors<0, kCount>(i, ahead, out);
      }
    }
  }

  // kWidth: K where known when compiled, else 0.
  template <int kWidth, int kCount>
  HWY_INLINE void convolve_vectors(std::int64_t i, const T* const* ahead, T* const* out) const {
    const Tag<Acc> d;
    const std::int64_t width = kWidth ? kWidth : params_.width, count = params_.channels - i;
    Vec<Acc> sum[kCount];
#pragma GCC unroll 4
    for (int j = 0; j < kCount; ++j) {
      sum[j] = hn::Load(d, &weight_[width * stride_ + i]);
      hwy::Prefetch(ahead[j] + i);
    }
    for (std::int64_t k = 0; k < width; ++k) {
      const auto weight = hn::Load(d, &weight_[k * stride_ + i]);
#pragma GCC unroll 4
      for (int j = 0; j < kCount; ++j) {
        sum[j] = hn::MulAdd(weight, load_lanes<Acc>(inputs_[k + j] + i, count), sum[j]);
      }
    }
    if (params_.silu) {
#pragma GCC unroll 4
      for (int j = 0; j < kCount; ++j) sum[j] = Silu<Acc>(sum[j]);
    }
#pragma GCC unroll 4
    for (int j = 0; j < kCount; ++j) store_lanes<Acc>(sum[j], out[j] + i, count);
  }

  const CausalConv1dParams<T>& params_;
  std::int64_t stride_, batch_ = 0, begin_ = 0;
  Scratch<Acc> weight_;       // (K, channels), and the bias as its last row
  Scratch<T> older_;          // (K - 1, channels): the inputs before the sequence
  Scratch<const T*> inputs_;  // of a group of steps
};

}  // namespace HWY_NAMESPACE

template <CpuTarget target, typename T>
void causal_conv1d_target(const CausalConv1dParams<T>& params, std::int64_t begin,
                          std::int64_t end) {
  if (begin >= end) return;
  const Sequences& sequences = params.sequences;
  const auto tiles = [&](std::int64_t s) {
    return conv_tiles(sequences.end(s) - sequences.begin(s));
  };
  HWY_NAMESPACE::Convolution<T> convolution(params);
  std::int64_t s = 0, before = 0;  // the item's sequence, and the tiles of those before it
  for (std::int64_t item = begin; item < end; ++item) {
    while (item >= before + tiles(s)) before += tiles(s++);
    convolution.run(s, (item - before) * kConvTileSteps);
  }
}

template void causal_conv1d_target<CpuTarget::SIMBA_CPU_TARGET, float>(
    const CausalConv1dParams<float>&, std::int64_t, std::int64_t);
template void causal_conv1d_target<CpuTarget::SIMBA_CPU_TARGET, double>(
    const CausalConv1dParams<double>&, std::int64_t, std::int64_t);
template void causal_conv1d_target<CpuTarget::SIMBA_CPU_TARGET, BFloat16>(
    const CausalConv1dParams<BFloat16>&, std::int64_t, std::int64_t);
template void causal_conv1d_target<CpuTarget::SIMBA_CPU_TARGET, Float16>(
    const CausalConv1dParams<Float16>&, std::int64_t, std::int64_t);

}  // namespace simba::kernels
