// The gradients of selective_scan_backward.h for one block of channels of one sequence. For the
// per-target sources only.
#pragma once

#include "kernels/selective_scan_backward/scan_backward_tile.h"

namespace simba::kernels::HWY_NAMESPACE {

// Lanes are channels. Scratch is laid out (row, kBlockChannels); a block's lanes beyond `channels`
// hold zeros. A first pass keeps the state before every tile of kTileSteps steps; a second takes
// the tiles backwards and in each a few states at a time: forward through its steps, keeping exp(dt
// A) and exp(dt A) h, then back with the adjoint.
template <typename T>
class ScanBackwardBlock {
 public:
  using Acc = AccumulateType<T>;
  using Params = SelectiveScanBackwardParams<T>;
  static constexpr std::int64_t kTileSteps = ScanBackwardTile<T>::kSteps;
  // States that walk through a tile together.
  static constexpr int kTogether = 4;

  HWY_INLINE explicit ScanBackwardBlock(std::int64_t states)
      : states_(states),
        tile_(states),
        a_(states * kBlockChannels),
        h_(states * kBlockChannels),
        g_(states * kBlockChannels),
        grad_a_(states * kBlockChannels),
        grad_b_(kTileSteps * states * kLanes<Acc>),
        grad_c_(kTileSteps * states * kLanes<Acc>),
        decay_(kTileSteps * kTogether * kLanes<Acc>),
        decayed_(kTileSteps * kTogether * kLanes<Acc>),
        grad_d_(kBlockChannels),
        grad_bias_(kBlockChannels) {}

  // Reads A, D and delta_bias of channels [first, first + channels).
  void load_parameters(const Params& params, std::int64_t first, std::int64_t channels) {
    first_ = first;
    channels_ = channels;
    load_transposed(params.A + first * states_, MathConstants<Acc>::kLog2E, a_.get());
    tile_.load_parameters(params, first, channels);
  }

  // Runs sequence s. The block's share of grad_B and grad_C goes to rows [t] of grad_B and grad_C
  // ((B L, N), `add`: is added to what is there); that of the sequence in grad_A, grad_D and
  // grad_bias ((D, N), (D), (D)) is written.
  void run(const Params& params, std::int64_t s, bool add, Acc* grad_B, Acc* grad_C, Acc* grad_A,
           Acc* grad_D, Acc* grad_bias) {
    const Sequences& sequences = params.sequences;
    const std::int64_t batch = sequences.batch(s), begin = sequences.begin(s);
    const std::int64_t end = sequences.end(s), row = batch * sequences.length;
    const std::int64_t tiles = ceil_div(end - begin, kTileSteps), state = states_ * kBlockChannels;
    const std::int64_t place = (s * params.channels + first_) * states_;
    const Scratch<Acc> checkpoints(tiles * state + 1);
    load_transposed(params.initial_state ? params.initial_state + place : nullptr, Acc{1},
                    h_.get());
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
      copy(h_.get(), checkpoints.get() + tile * state, state);
      if (tile == tiles - 1) break;
      tile_.load_inputs(params, batch, begin + tile * kTileSteps, kTileSteps);
      for (std::int64_t i = 0; i < channels_; i += kLanes<Acc>) advance(kTileSteps, i);
    }

    load_transposed(params.grad_last_state ? params.grad_last_state + place : nullptr, Acc{1},
                    g_.get());
    fill_zero(grad_a_.get(), state);
    fill_zero(grad_d_.get(), kBlockChannels);
    fill_zero(grad_bias_.get(), kBlockChannels);
    for (std::int64_t tile = tiles - 1; tile >= 0; --tile) {
      const std::int64_t t = begin + tile * kTileSteps;
      const std::int64_t steps = end - t < kTileSteps ? end - t : kTileSteps;
      copy(checkpoints.get() + tile * state, h_.get(), state);
      tile_.load_inputs(params, batch, t, steps);
      tile_.load_gradients(params, batch, t, steps);
      for (std::int64_t i = 0; i < channels_; i += kLanes<Acc>) walk(steps, i);
      store_over_channels(grad_b_.get(), steps, add, grad_B + (row + t) * states_);
      store_over_channels(grad_c_.get(), steps, add, grad_C + (row + t) * states_);
      store_outputs(params, batch, t, steps);
    }
    store_states(grad_a_.get(), grad_A + first_ * states_);
    for (std::int64_t i = 0; i < channels_; ++i) grad_D[first_ + i] = grad_d_[i];
    for (std::int64_t i = 0; i < channels_; ++i) grad_bias[first_ + i] = grad_bias_[i];
    if (params.grad_initial_state) store_states(g_.get(), params.grad_initial_state + place);
  }

 private:
  static void fill_zero(Acc* to, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = 0;
  }
  static void copy(const Acc* from, Acc* to, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[i];
  }

  // destination(n, i) = scale * source[i * N + n]; nullptr: zeros.
  void load_transposed(const Acc* source, Acc scale, Acc* destination) const {
    for (std::int64_t n = 0; n < states_; ++n) {
      for (std::int64_t i = 0; i < kBlockChannels; ++i) {
        destination[n * kBlockChannels + i] =
            source && i < channels_ ? scale * source[i * states_ + n] : Acc{0};
      }
    }
  }

  void store_states(const Acc* source, Acc* state) const {
    for (std::int64_t i = 0; i < channels_; ++i) {
      for (std::int64_t n = 0; n < states_; ++n) {
        state[i * states_ + n] = source[n * kBlockChannels + i];
      }
    }
  }

  // h of all states of one vector of channels through all steps of the tile.
  void advance(std::int64_t steps, std::int64_t channel) {
    std::int64_t n = 0;
    for (; n + 8 <= states_; n += 8) advance_some<8>(steps, channel, n);
    for (; n < states_; ++n) advance_some<1>(steps, channel, n);
  }

  template <int kCount>
  HWY_INLINE void advance_some(std::int64_t steps, std::int64_t channel, std::int64_t n) {
    const Tag<Acc> d;
    Vec<Acc> a[kCount], h[kCount];
#pragma GCC unroll 16
    for (int k = 0; k < kCount; ++k) {
      a[k] = hn::Load(d, &a_[(n + k) * kBlockChannels + channel]);
      h[k] = hn::Load(d, &h_[(n + k) * kBlockChannels + channel]);
    }
    const Acc* b = tile_.b.get() + n;
    for (std::int64_t t = 0; t < steps; ++t, b += states_) {
      const auto dt = hn::Load(d, &tile_.dt[t * kBlockChannels + channel]);
      const auto dt_u = hn::Load(d, &tile_.dt_u[t * kBlockChannels + channel]);
#pragma GCC unroll 16
      for (int k = 0; k < kCount; ++k) {
        h[k] = hn::MulAdd(Exp2<Acc>(hn::Mul(dt, a[k])), h[k], hn::Mul(dt_u, hn::Set(d, b[k])));
      }
    }
#pragma GCC unroll 16
    for (int k = 0; k < kCount; ++k) {
      hn::Store(h[k], d, &h_[(n + k) * kBlockChannels + channel]);
    }
  }

  // All states of one vector of channels forward and back through the tile.
  void walk(std::int64_t steps, std::int64_t channel) {
    std::int64_t n = 0;
    for (; n + kTogether <= states_; n += kTogether) {
      recompute<kTogether>(steps, channel, n);
      walk_back<kTogether>(steps, channel, n);
    }
    for (; n < states_; ++n) {
      recompute<1>(steps, channel, n);
      walk_back<1>(steps, channel, n);
    }
  }

  // Keeps exp(dt A) and exp(dt A) h of every step, and adds C h to y.
  template <int kCount>
  HWY_INLINE void recompute(std::int64_t steps, std::int64_t channel, std::int64_t n) {
    const Tag<Acc> d;
    Vec<Acc> a[kCount], h[kCount];
#pragma GCC unroll 16
    for (int k = 0; k < kCount; ++k) {
      a[k] = hn::Load(d, &a_[(n + k) * kBlockChannels + channel]);
      h[k] = hn::Load(d, &h_[(n + k) * kBlockChannels + channel]);
    }
    for (std::int64_t t = 0; t < steps; ++t) {
      const std::int64_t at = t * kBlockChannels + channel;
      const Acc* b = &tile_.b[t * states_ + n];
      const Acc* c = &tile_.c[t * states_ + n];
      const auto dt = hn::Load(d, &tile_.dt[at]);
      const auto dt_u = hn::Load(d, &tile_.dt_u[at]);
      auto y = hn::Load(d, &tile_.y[at]);
#pragma GCC unroll 16
      for (int k = 0; k < kCount; ++k) {
        const auto decay = Exp2<Acc>(hn::Mul(dt, a[k]));
        const auto decayed = hn::Mul(decay, h[k]);
        hn::Store(decay, d, &decay_[(t * kCount + k) * kLanes<Acc>]);
        hn::Store(decayed, d, &decayed_[(t * kCount + k) * kLanes<Acc>]);
        h[k] = hn::MulAdd(dt_u, hn::Set(d, b[k]), decayed);
        y = hn::MulAdd(h[k], hn::Set(d, c[k]), y);
      }
      hn::Store(y, d, &tile_.y[at]);
    }
  }

  template <int kCount>
  HWY_INLINE void walk_back(std::int64_t steps, std::int64_t channel, std::int64_t n) {
    const Tag<Acc> d;
    const bool add = channel > 0;
    Vec<Acc> a[kCount], g[kCount], grad_a[kCount];
#pragma GCC unroll 16
    for (int k = 0; k < kCount; ++k) {
      a[k] = hn::Load(d, &a_[(n + k) * kBlockChannels + channel]);
      g[k] = hn::Load(d, &g_[(n + k) * kBlockChannels + channel]);
      grad_a[k] = hn::Zero(d);
    }
    for (std::int64_t t = steps - 1; t >= 0; --t) {
      const std::int64_t at = t * kBlockChannels + channel;
      const auto dt = hn::Load(d, &tile_.dt[at]), dt_u = hn::Load(d, &tile_.dt_u[at]);
      const auto dy = hn::Load(d, &tile_.dy[at]);
      auto g_a = hn::Load(d, &tile_.g_a[at]), g_b = hn::Load(d, &tile_.g_b[at]);
#pragma GCC unroll 16
      for (int k = 0; k < kCount; ++k) {
        const auto b = hn::Set(d, tile_.b[t * states_ + n + k]),
                   c = hn::Set(d, tile_.c[t * states_ + n + k]);
        const auto decayed = hn::Load(d, &decayed_[(t * kCount + k) * kLanes<Acc>]);
        const auto h = hn::MulAdd(dt_u, b, decayed);
        g[k] = hn::MulAdd(c, dy, g[k]);
        const auto product = hn::Mul(g[k], decayed);
        grad_a[k] = hn::MulAdd(dt, product, grad_a[k]);
        g_a = hn::MulAdd(a[k], product, g_a);
        g_b = hn::MulAdd(b, g[k], g_b);
        Acc* to_b = &grad_b_[(t * states_ + n + k) * kLanes<Acc>];
        Acc* to_c = &grad_c_[(t * states_ + n + k) * kLanes<Acc>];
        const auto old_b = add ? hn::Load(d, to_b) : hn::Zero(d);
        const auto old_c = add ? hn::Load(d, to_c) : hn::Zero(d);
        hn::Store(hn::MulAdd(g[k], dt_u, old_b), d, to_b);
        hn::Store(hn::MulAdd(h, dy, old_c), d, to_c);
        g[k] = hn::Mul(g[k], hn::Load(d, &decay_[(t * kCount + k) * kLanes<Acc>]));
      }
      hn::Store(g_a, d, &tile_.g_a[at]);
      hn::Store(g_b, d, &tile_.g_b[at]);
    }
#pragma GCC unroll 16
    for (int k = 0; k < kCount; ++k) {
      const std::int64_t at = (n + k) * kBlockChannels + channel;
      hn::Store(g[k], d, &g_[at]);
      hn::Store(hn::Add(hn::Load(d, &grad_a_[at]), grad_a[k]), d, &grad_a_[at]);
    }
  }

  // to(t, n) = (or +=) the sum over lanes of from(t, n).
  void store_over_channels(const Acc* from, std::int64_t steps, bool add, Acc* to) const {
    const Tag<Acc> d;
    for (std::int64_t i = 0; i < steps * states_; ++i) {
      const Acc sum = hn::GetLane(hn::SumOfLanes(d, hn::Load(d, from + i * kLanes<Acc>)));
      to[i] = add ? to[i] + sum : sum;
    }
  }

  void store_outputs(const Params& params, std::int64_t batch, std::int64_t t, std::int64_t steps) {
    const Tag<Acc> d;
    const auto ln2 = hn::Set(d, 1 / MathConstants<Acc>::kLog2E);  // a_ is in units of log 2
    for (std::int64_t i = 0; i < channels_; i += kLanes<Acc>) {
      const std::int64_t count = channels_ - i;
      const auto skip = hn::Load(d, &tile_.d[i]);
      auto grad_d = hn::Zero(d), grad_bias = grad_d;
      for (std::int64_t k = 0; k < steps; ++k) {
        const std::int64_t at = k * kBlockChannels + i;
        const auto u = hn::Load(d, &tile_.u[at]), dy = hn::Load(d, &tile_.dy[at]);
        const auto g_b = hn::Load(d, &tile_.g_b[at]);
        const auto grad_u = hn::MulAdd(hn::Load(d, &tile_.dt[at]), g_b, hn::Mul(skip, dy));
        auto grad_delta = hn::MulAdd(u, g_b, hn::Mul(ln2, hn::Load(d, &tile_.g_a[at])));
        if (params.delta_softplus) grad_delta = hn::Mul(grad_delta, hn::Load(d, &tile_.slope[at]));
        grad_d = hn::MulAdd(dy, u, grad_d);
        grad_bias = hn::Add(grad_bias, grad_delta);
        store_lanes<Acc>(grad_u, params.grad_u.row(batch, t + k) + first_ + i, count);
        store_lanes<Acc>(grad_delta, params.grad_delta.row(batch, t + k) + first_ + i, count);
        if (params.z) {
          const auto grad_z = hn::Mul(hn::Load(d, &tile_.z_slope[at]), hn::Load(d, &tile_.y[at]));
          store_lanes<Acc>(grad_z, params.grad_z.row(batch, t + k) + first_ + i, count);
        }
      }
      hn::Store(hn::Add(hn::Load(d, &grad_d_[i]), grad_d), d, &grad_d_[i]);
      hn::Store(hn::Add(hn::Load(d, &grad_bias_[i]), grad_bias), d, &grad_bias_[i]);
    }
  }

  std::int64_t states_, first_ = 0, channels_ = 0;
  ScanBackwardTile<T> tile_;
  Scratch<Acc> a_;                   // (N, channels), A times log2 e
  Scratch<Acc> h_, g_, grad_a_;      // (N, channels)
  Scratch<Acc> grad_b_, grad_c_;     // (steps, N, lanes)
  Scratch<Acc> decay_, decayed_;     // (steps, kTogether, lanes)
  Scratch<Acc> grad_d_, grad_bias_;  // (channels)
};

}  // namespace simba::kernels::HWY_NAMESPACE
