// Compiled once per CpuTarget. Work item i: block of channels i / S, sequence i % S. Lanes are
// channels. Time goes forward in tiles of steps; windows in scratch hold the K - 1 older inputs and
// the tile's, and the gradients of both: after a tile those of its oldest `steps` are complete.
// Scratch of the params: per sequence, shares of grad_weight (D, K), then of grad_bias (D).
#include "kernels/cpu_kernels.h"
#include "kernels/simd_gradients.h"

namespace simba::kernels {
namespace HWY_NAMESPACE {

template <typename T>
class ConvBackwardBlock {
 public:
  using Acc = AccumulateType<T>;
  using Params = CausalConv1dBackwardParams<T>;
  static constexpr std::int64_t kTileSteps = 32;

  HWY_INLINE explicit ConvBackwardBlock(std::int64_t width)
      : width_(width),
        window_((width - 1 + kTileSteps) * kBlockChannels),
        grad_window_((width - 1 + kTileSteps) * kBlockChannels),
        weight_(width * kBlockChannels),
        grad_weight_(width * kBlockChannels),
        slope_(kTileSteps * kBlockChannels),
        bias_(kBlockChannels),
        grad_bias_(kBlockChannels) {}

  void load_parameters(const Params& params, std::int64_t first, std::int64_t channels) {
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

  void run(const Params& params, std::int64_t s) {
    const Sequences& sequences = params.sequences;
    const std::int64_t batch = sequences.batch(s);
    const std::int64_t begin = sequences.begin(s), end = sequences.end(s);
    const std::int64_t state = (s * params.channels + first_) * (width_ - 1);
    T* grad_state = params.grad_initial_state ? params.grad_initial_state + state : nullptr;
    load_state(params.initial_state ? params.initial_state + state : nullptr, window_.get());
    fill_zero(grad_window_.get(), width_ - 1);
    fill_zero(grad_weight_.get(), width_);
    fill_zero(grad_bias_.get(), 1);
    for (std::int64_t t = begin; t < end; t += kTileSteps) {
      const std::int64_t steps = end - t < kTileSteps ? end - t : kTileSteps;
      load_inputs(params, batch, t, steps);
      fill_zero(grad_window_.get() + (width_ - 1) * kBlockChannels, steps);
      convolve(params, batch, t, steps);
      add_gradients(steps);
      for (std::int64_t j = 0; j < steps; ++j) {
        store_gradient(params, batch, begin, t - (width_ - 1) + j, j, grad_state);
      }
      for (std::int64_t i = 0; i < (width_ - 1) * kBlockChannels; ++i) {
        window_[i] = window_[i + steps * kBlockChannels];
        grad_window_[i] = grad_window_[i + steps * kBlockChannels];
      }
    }
    // The inputs that last_state returned.
    if (params.grad_last_state) {
      load_state(params.grad_last_state + state, window_.get());
      for (std::int64_t i = 0; i < (width_ - 1) * kBlockChannels; ++i) {
        grad_window_[i] += window_[i];
      }
    }
    for (std::int64_t j = 0; j < width_ - 1; ++j) {
      store_gradient(params, batch, begin, end - (width_ - 1) + j, j, grad_state);
    }
    store_shares(params, s);
  }

 private:
  static void fill_zero(Acc* rows, std::int64_t count) {
    for (std::int64_t i = 0; i < count * kBlockChannels; ++i) rows[i] = 0;
  }

  void load_state(const T* state, Acc* to) const {
    T older[kBlockChannels] = {};
    for (std::int64_t k = 0; k < width_ - 1; ++k) {
      for (std::int64_t i = 0; state && i < channels_; ++i) older[i] = state[i * (width_ - 1) + k];
      for (std::int64_t i = 0; i < kBlockChannels; i += kLanes<Acc>) {
        hn::Store(load_full<Acc>(older + i), Tag<Acc>(), to + k * kBlockChannels + i);
      }
    }
  }

  void load_inputs(const Params& params, std::int64_t batch, std::int64_t t,
                   std::int64_t steps) const {
    for (std::int64_t k = 0; k < steps; ++k) {
      const T* row = params.x.row(batch, t + k) + first_;
      Acc* to = window_.get() + (width_ - 1 + k) * kBlockChannels;
      for (std::int64_t i = 0; i < kBlockChannels; i += kLanes<Acc>) {
        hn::Store(load_lanes<Acc>(row + i, channels_ - i), Tag<Acc>(), to + i);
      }
    }
  }

  // da of every step of the tile.
  void convolve(const Params& params, std::int64_t batch, std::int64_t t,
                std::int64_t steps) const {
    const Tag<Acc> d;
    for (std::int64_t step = 0; step < steps; ++step) {
      const T* grad_row = params.grad_out.row(batch, t + step) + first_;
      for (std::int64_t i = 0; i < kBlockChannels; i += kLanes<Acc>) {
        Vec<Acc> grad = load_lanes<Acc>(grad_row + i, channels_ - i);
        if (params.silu) {
          Vec<Acc> sum = hn::Load(d, &bias_[i]);
          for (std::int64_t k = 0; k < width_; ++k) {
            sum = hn::MulAdd(hn::Load(d, &weight_[k * kBlockChannels + i]),
                             hn::Load(d, &window_[(step + k) * kBlockChannels + i]), sum);
          }
          grad = hn::Mul(grad, SiluParts<Acc>(sum).slope());
        }
        hn::Store(grad, d, &slope_[step * kBlockChannels + i]);
      }
    }
  }

  void add_gradients(std::int64_t steps) const {
    const Tag<Acc> d;
    for (std::int64_t i = 0; i < channels_; i += kLanes<Acc>) {
      for (std::int64_t k = 0; k < width_; ++k) {
        const auto weight = hn::Load(d, &weight_[k * kBlockChannels + i]);
        auto share = hn::Zero(d);
        for (std::int64_t step = 0; step < steps; ++step) {
          const std::int64_t at = (step + k) * kBlockChannels + i;
          const auto grad = hn::Load(d, &slope_[step * kBlockChannels + i]);
          hn::Store(hn::MulAdd(weight, grad, hn::Load(d, &grad_window_[at])), d, &grad_window_[at]);
          share = hn::MulAdd(grad, hn::Load(d, &window_[at]), share);
        }
        Acc* to = &grad_weight_[k * kBlockChannels + i];
        hn::Store(hn::Add(hn::Load(d, to), share), d, to);
      }
      auto share = hn::Zero(d);
      for (std::int64_t step = 0; step < steps; ++step) {
        share = hn::Add(share, hn::Load(d, &slope_[step * kBlockChannels + i]));
      }
      hn::Store(hn::Add(hn::Load(d, &grad_bias_[i]), share), d, &grad_bias_[i]);
    }
  }

  // Row j of the window's gradients belongs to position t, or to the initial state before `begin`.
  void store_gradient(const Params& params, std::int64_t batch, std::int64_t begin, std::int64_t t,
                      std::int64_t j, T* grad_state) const {
    const Acc* from = grad_window_.get() + j * kBlockChannels;
    if (t >= begin) {
      T* row = params.grad_x.row(batch, t) + first_;
      for (std::int64_t i = 0; i < channels_; i += kLanes<Acc>) {
        store_lanes<Acc>(hn::Load(Tag<Acc>(), from + i), row + i, channels_ - i);
      }
    } else if (grad_state) {
      T rounded[kBlockChannels];
      for (std::int64_t i = 0; i < kBlockChannels; i += kLanes<Acc>) {
        store_full<Acc>(hn::Load(Tag<Acc>(), from + i), rounded + i);
      }
      const std::int64_t k = t - begin + width_ - 1;
      for (std::int64_t i = 0; i < channels_; ++i) grad_state[i * (width_ - 1) + k] = rounded[i];
    }
  }

  void store_shares(const Params& params, std::int64_t s) const {
    Acc* shares = params.scratch + s * params.channels * (width_ + 1);
    for (std::int64_t i = 0; i < channels_; ++i) {
      for (std::int64_t k = 0; k < width_; ++k) {
        shares[(first_ + i) * width_ + k] = grad_weight_[k * kBlockChannels + i];
      }
      shares[params.channels * width_ + first_ + i] = grad_bias_[i];
    }
  }

  std::int64_t width_, first_ = 0, channels_ = 0;
  Scratch<Acc> window_;       // (K - 1 + steps, channels)
  Scratch<Acc> grad_window_;  // (K - 1 + steps, channels)
  Scratch<Acc> weight_;       // (K, channels)
  Scratch<Acc> grad_weight_;  // (K, channels)
  Scratch<Acc> slope_;        // (steps, channels): da
  Scratch<Acc> bias_;         // (channels)
  Scratch<Acc> grad_bias_;    // (channels)
};

}  // namespace HWY_NAMESPACE

template <CpuTarget target, typename T>
void causal_conv1d_backward_target(const CausalConv1dBackwardParams<T>& params, std::int64_t begin,
                                   std::int64_t end) {
  if (begin >= end) return;
  HWY_NAMESPACE::ConvBackwardBlock<T> block(params.width);
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

template <CpuTarget target, typename T>
void causal_conv1d_backward_sum_target(const CausalConv1dBackwardParams<T>& params,
                                       std::int64_t begin, std::int64_t end) {
  const std::int64_t width = params.width, sequence = params.channels * (width + 1);
  for (std::int64_t i = begin * width; i < end * width; ++i) {
    AccumulateType<T> sum = 0;
    for (std::int64_t s = 0; s < params.sequences.count; ++s) {
      sum += params.scratch[s * sequence + i];
    }
    params.grad_weight[i] = sum;
  }
  for (std::int64_t i = begin; params.grad_bias && i < end; ++i) {
    AccumulateType<T> sum = 0;
    for (std::int64_t s = 0; s < params.sequences.count; ++s) {
      sum += params.scratch[s * sequence + params.channels * width + i];
    }
    params.grad_bias[i] = sum;
  }
}

#define SIMBA_INSTANTIATE(T)                                                       \
  template void causal_conv1d_backward_target<CpuTarget::SIMBA_CPU_TARGET, T>(     \
      const CausalConv1dBackwardParams<T>&, std::int64_t, std::int64_t);           \
  template void causal_conv1d_backward_sum_target<CpuTarget::SIMBA_CPU_TARGET, T>( \
      const CausalConv1dBackwardParams<T>&, std::int64_t, std::int64_t);
SIMBA_INSTANTIATE(float)
SIMBA_INSTANTIATE(double)
SIMBA_INSTANTIATE(BFloat16)
SIMBA_INSTANTIATE(Float16)
#undef SIMBA_INSTANTIATE

}  // namespace simba::kernels
