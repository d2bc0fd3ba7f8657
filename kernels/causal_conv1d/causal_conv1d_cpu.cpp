// Compiled once per CpuTarget. Work item i: block of channels i / S, sequence i % S. Lanes are
// channels. A window in scratch holds K - 1 older inputs and the inputs of a tile of steps, so a
// chunk shorter than the filter needs no case of its own.
#include "kernels/cpu_kernels.h"
#include "kernels/simd_math.h"

namespace simba::kernels {
namespace HWY_NAMESPACE {

template <typename T>
class ConvBlock {
 public:
  using Acc = AccumulateType<T>;
  static constexpr std::int64_t kTileSteps = 32, kTogether = 4;

  explicit ConvBlock(std::int64_t width)
      : width_(width),
        window_((width - 1 + kTileSteps) * kBlockChannels),
        weight_(width * kBlockChannels),
        bias_(kBlockChannels) {}

  void load_parameters(const CausalConv1dParams<T>& params, std::int64_t first,
                       std::int64_t channels) {
    first_ = first;
    channels_ = channels;
    for (std::int64_t i = 0; i < kBlockChannels; ++i) {
      bias_[i] = params.bias && i < channels ? params.bias[first + i] : Acc{0};
      for (std::int64_t k = 0; k < width_; ++k) {
        weight_[k * kBlockChannels + i] =
            i < channels ? params.weight[(first + i) * width_ + k] : Acc{0};
      }
    }
  }

  void run(const CausalConv1dParams<T>& params, std::int64_t s) {
    const Sequences& sequences = params.sequences;
    const std::int64_t batch = sequences.batch(s), end = sequences.end(s);
    const std::int64_t state = (s * params.channels + first_) * (width_ - 1);
    load_state(params.initial_state ? params.initial_state + state : nullptr);
    for (std::int64_t t = sequences.begin(s); t < end; t += kTileSteps) {
      const std::int64_t steps = end - t < kTileSteps ? end - t : kTileSteps;
      load_inputs(params, batch, t, steps);
      const std::int64_t next = t + steps;
      const std::int64_t ahead = end - next < kTileSteps ? end - next : kTileSteps;
      prefetch_rows(params.x, batch, next, ahead, first_, channels_);
      if (width_ == 4) {
        convolve<4>(params, batch, t, steps);
      } else {
        convolve<0>(params, batch, t, steps);
      }
      for (std::int64_t i = 0; i < (width_ - 1) * kBlockChannels; ++i) {
        window_[i] = window_[i + steps * kBlockChannels];
      }
    }
    store_state(params.last_state + state);
  }

 private:
  void load_state(const T* state) {
    T older[kBlockChannels] = {};
    for (std::int64_t k = 0; k < width_ - 1; ++k) {
      for (std::int64_t i = 0; state && i < channels_; ++i) older[i] = state[i * (width_ - 1) + k];
      for (std::int64_t i = 0; i < kBlockChannels; i += kLanes<Acc>) {
        hn::Store(load_full<Acc>(older + i), Tag<Acc>(), &window_[k * kBlockChannels + i]);
      }
    }
  }

  void store_state(T* state) const {
    T newest[kBlockChannels];
    for (std::int64_t k = 0; k < width_ - 1; ++k) {
      for (std::int64_t i = 0; i < kBlockChannels; i += kLanes<Acc>) {
        store_full<Acc>(hn::Load(Tag<Acc>(), &window_[k * kBlockChannels + i]), newest + i);
      }
      for (std::int64_t i = 0; i < channels_; ++i) state[i * (width_ - 1) + k] = newest[i];
    }
  }

  void load_inputs(const CausalConv1dParams<T>& params, std::int64_t batch, std::int64_t t,
                   std::int64_t steps) {
    for (std::int64_t k = 0; k < steps; ++k) {
      const T* row = params.x.row(batch, t + k) + first_;
      Acc* to = window_.get() + (width_ - 1 + k) * kBlockChannels;
      for (std::int64_t i = 0; i < kBlockChannels; i += kLanes<Acc>) {
        hn::Store(load_lanes<Acc>(row + i, channels_ - i), Tag<Acc>(), to + i);
      }
    }
  }

  // kWidth: K where known when compiled, else 0.
  template <int kWidth>
  HWY_INLINE void convolve(const CausalConv1dParams<T>& params, std::int64_t batch, std::int64_t t,
                           std::int64_t steps) const {
    for (std::int64_t i = 0; i < channels_; i += kLanes<Acc>) {
      std::int64_t step = 0;
      for (; step + kTogether <= steps; step += kTogether) {
        convolve_steps<kWidth, kTogether>(params, batch, t, step, i);
      }
      for (; step < steps; ++step) convolve_steps<kWidth, 1>(params, batch, t, step, i);
    }
  }

  // silu is a long chain of operations: several steps at once hide it.
  template <int kWidth, int kCount>
  HWY_INLINE void convolve_steps(const CausalConv1dParams<T>& params, std::int64_t batch,
                                 std::int64_t t, std::int64_t step, std::int64_t i) const {
    const Tag<Acc> d;
    const std::int64_t width = kWidth ? kWidth : width_;
    Vec<Acc> sum[kCount];
#pragma GCC unroll 4
    for (int j = 0; j < kCount; ++j) sum[j] = hn::Load(d, &bias_[i]);
    for (std::int64_t k = 0; k < width; ++k) {
      const auto weight = hn::Load(d, &weight_[k * kBlockChannels + i]);
      const Acc* x = window_.get() + (step + k) * kBlockChannels + i;
#pragma GCC unroll 4
      for (int j = 0; j < kCount; ++j) {
        sum[j] = hn::MulAdd(weight, hn::Load(d, x + j * kBlockChannels), sum[j]);
      }
    }
    if (params.silu) {
#pragma GCC unroll 4
      for (int j = 0; j < kCount; ++j) sum[j] = Silu<Acc>(sum[j]);
    }
#pragma GCC unroll 4
    for (int j = 0; j < kCount; ++j) {
      T* out = params.out.row(batch, t + step + j) + first_ + i;
      store_lanes<Acc>(sum[j], out, channels_ - i);
    }
  }

  std::int64_t width_, first_ = 0, channels_ = 0;
  Scratch<Acc> window_;  // (K - 1 + steps, channels)
  Scratch<Acc> weight_;  // (K, channels)
  Scratch<Acc> bias_;    // (channels)
};

}  // namespace HWY_NAMESPACE

template <CpuTarget target, typename T>
void causal_conv1d_target(const CausalConv1dParams<T>& params, std::int64_t begin,
                          std::int64_t end) {
  if (begin >= end) return;
  HWY_NAMESPACE::ConvBlock<T> block(params.width);
  std::int64_t loaded = -1;
  for (std::int64_t item = begin; item < end; ++item) {
    const std::int64_t first = item / params.sequences.count * kBlockChannels;
    if (loaded != first) {
      const std::int64_t rest = params.channels - first;
      block.load_parameters(params, first, rest < kBlockChannels ? rest : kBlockChannels);
      loaded = first;
    }
    block.run(params, item % params.sequences.count);
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
