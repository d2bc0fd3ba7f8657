// The recurrence of selective_scan.h for a stripe of channels: shared by the scan over a sequence
// and by the single step of decoding, which thereby give the same bits. For the per-target sources
// only.
#pragma once

#include "kernels/cpu_kernels.h"
#include "kernels/simd_math.h"

namespace simba::kernels::HWY_NAMESPACE {

// Lanes are channels. Scratch is laid out (block of channels, row, kBlockChannels); lanes beyond
// the stripe's channels hold zeros. Time goes in tiles of at most kTileSteps: per tile dt, dt u and
// D u are computed for all steps, then a few states at a time go through all steps in registers. y
// adds its states in ascending order whatever the tile, so a sequence split anywhere gives the bits
// of the whole. Memory is read and written a row of the stripe at a time: pieces of one block's
// width, each in another page, would take as long as the arithmetic. Lives where FlushSubnormals
// does.
template <typename T>
class ScanStripe {
 public:
  using Acc = AccumulateType<T>;
  static constexpr std::int64_t kTileSteps = 32;

  // Of at most `blocks` blocks of channels.
  ScanStripe(std::int64_t states, std::int64_t blocks)
      : states_(states),
        a_(blocks * states * kBlockChannels),
        h_(blocks * states * kBlockChannels),
        b_(kTileSteps * states),
        c_(kTileSteps * states),
        dt_(blocks * kTileSteps * kBlockChannels),
        dt_u_(blocks * kTileSteps * kBlockChannels),
        y_(blocks * kTileSteps * kBlockChannels),
        d_(blocks * kBlockChannels),
        bias_(blocks * kBlockChannels) {}

  // Reads A, D and delta_bias of channels [first, first + channels).
  template <typename Params>
  void load_parameters(const Params& params, std::int64_t first, std::int64_t channels) {
    first_ = first;
    channels_ = channels;
    load_transposed(params.A + first * states_, states_, MathConstants<Acc>::kLog2E, a_.get());
    for (std::int64_t i = 0; i < whole_blocks(); ++i) {
      d_[i] = params.D && i < channels ? params.D[first + i] : Acc{0};
      bias_[i] = params.delta_bias && i < channels ? params.delta_bias[first + i] : Acc{0};
    }
  }

  std::int64_t first() const { return first_; }
  std::int64_t channels() const { return channels_; }

  // Reads the state of the stripe's channels; nullptr: zeros.
  void load_state(const Acc* state, std::int64_t channel_stride) {
    load_transposed(state, channel_stride, Acc{1}, h_.get());
  }

  void store_state(Acc* state, std::int64_t channel_stride) const {
    for (std::int64_t i = 0; i < channels_; ++i) {
      for (std::int64_t n = 0; n < states_; ++n) {
        state[i * channel_stride + n] = h_[state_at(n, i)];
      }
    }
  }

  // Runs positions [begin, end) of a batch row.
  template <typename Params>
  void advance(const Params& params, std::int64_t batch, std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; t += kTileSteps) {
      const std::int64_t steps = end - t < kTileSteps ? end - t : kTileSteps;
      load_inputs(params, batch, t, steps, end);
      for (std::int64_t block = 0; block < channels_; block += kBlockChannels) {
        prepare_steps(params, steps, block);
        for_each_vector_of_block(block, [&](std::int64_t i) HWY_ATTR { advance_states(steps, i); });
      }
      store_outputs(params, batch, t, steps, end);
    }
  }

 private:
  // Rows are too short for the processor to run ahead in them: asked for this many rows early.
  static constexpr std::int64_t kRowsAhead = 4;

  std::int64_t whole_blocks() const { return ceil_div(channels_, kBlockChannels) * kBlockChannels; }

  // Places in scratch of a channel's state, and of a channel at a step of the tile.
  std::int64_t state_at(std::int64_t n, std::int64_t i) const {
    return (i / kBlockChannels * states_ + n) * kBlockChannels + i % kBlockChannels;
  }
  static std::int64_t tile_at(std::int64_t k, std::int64_t i) {
    return (i / kBlockChannels * kTileSteps + k) * kBlockChannels + i % kBlockChannels;
  }

  // destination(n, i) = scale * source[i * stride + n].
  void load_transposed(const Acc* source, std::int64_t stride, Acc scale, Acc* destination) {
    for (std::int64_t n = 0; n < states_; ++n) {
      for (std::int64_t i = 0; i < whole_blocks(); ++i) {
        destination[state_at(n, i)] =
            source && i < channels_ ? scale * source[i * stride + n] : Acc{0};
      }
    }
  }

  // f(i) for every vector of a block: i its channel.
  template <typename Function>
  HWY_INLINE void for_each_vector_of_block(std::int64_t block, const Function& f) const {
    const std::int64_t next = block + kBlockChannels, end = next < channels_ ? next : channels_;
    for (std::int64_t i = block; i < end; i += kLanes<Acc>) f(i);
  }

  // f(at, i) for every vector of a block at all of the tile's steps: `at` its place in scratch.
  template <typename Function>
  HWY_INLINE void for_each_vector(std::int64_t steps, std::int64_t block, const Function& f) const {
    for (std::int64_t k = 0; k < steps; ++k) {
      for_each_vector_of_block(block, [&](std::int64_t i) HWY_ATTR { f(tile_at(k, i), i); });
    }
  }

  template <typename Params>
  void load_inputs(const Params& params, std::int64_t batch, std::int64_t t, std::int64_t steps,
                   std::int64_t end) {
    const Tag<Acc> d;
    for (std::int64_t k = 0; k < steps; ++k) {
      load_row(params.B.row(batch, t + k), &b_[k * states_]);
      load_row(params.C.row(batch, t + k), &c_[k * states_]);
      const T* u = params.u.row(batch, t + k) + first_;
      const T* delta = params.delta.row(batch, t + k) + first_;
      const std::int64_t later = t + k + kRowsAhead < end ? t + k + kRowsAhead : end - 1;
      const T* later_u = params.u.row(batch, later) + first_;
      const T* later_delta = params.delta.row(batch, later) + first_;
      for (std::int64_t i = 0; i < channels_; i += kLanes<Acc>) {
        const std::int64_t at = tile_at(k, i), count = channels_ - i;
        hwy::Prefetch(later_u + i);
        hwy::Prefetch(later_delta + i);
        const auto biased = hn::Add(load_lanes<Acc>(delta + i, count), hn::Load(d, &bias_[i]));
        hn::Store(biased, d, &dt_[at]);
        hn::Store(load_lanes<Acc>(u + i, count), d, &dt_u_[at]);
      }
    }
  }

  // dt, dt u and D u. Elementary functions are taken in stages over a block's tile: in one go, the
  // long chain of each vector would fill the processor's window and leave its units idle.
  template <typename Params>
  void prepare_steps(const Params& params, std::int64_t steps, std::int64_t block) {
    const Tag<Acc> d;
    if (params.delta_softplus) {
      for_each_vector(steps, block, [&](std::int64_t at, std::int64_t) HWY_ATTR {
        hn::Store(SoftplusParts<Acc>::exponential(hn::Load(d, &dt_[at])), d, &y_[at]);
      });
      for_each_vector(steps, block, [&](std::int64_t at, std::int64_t) HWY_ATTR {
        const SoftplusParts<Acc> parts(hn::Load(d, &dt_[at]), hn::Load(d, &y_[at]));
        hn::Store(parts.softplus(), d, &dt_[at]);
      });
    }
    for_each_vector(steps, block, [&](std::int64_t at, std::int64_t i) HWY_ATTR {
      const auto u = hn::Load(d, &dt_u_[at]);
      hn::Store(hn::Mul(hn::Load(d, &dt_[at]), u), d, &dt_u_[at]);
      hn::Store(params.D ? hn::Mul(u, hn::Load(d, &d_[i])) : hn::Zero(d), d, &y_[at]);
    });
  }

  // One row of B or C.
  HWY_INLINE void load_row(const T* row, Acc* to) const {
    for (std::int64_t n = 0; n < states_; n += kLanes<Acc>) {
      store_lanes<Acc>(load_lanes<Acc>(row + n, states_ - n), to + n, states_ - n);
    }
  }

  void advance_states(std::int64_t steps, std::int64_t channel) {
    std::int64_t n = 0;
    for (; n + 8 <= states_; n += 8) advance_some<8>(steps, channel, n);
    for (; n + 4 <= states_; n += 4) advance_some<4>(steps, channel, n);
    for (; n < states_; ++n) advance_some<1>(steps, channel, n);
  }

  // States [n, n + kCount) of one vector of channels through all steps of the tile.
  template <int kCount>
  HWY_INLINE void advance_some(std::int64_t steps, std::int64_t channel, std::int64_t n) {
    const Tag<Acc> d;
    Vec<Acc> a[kCount], h[kCount];
#pragma GCC unroll 16
    for (int k = 0; k < kCount; ++k) {
      a[k] = hn::Load(d, &a_[state_at(n + k, channel)]);
      h[k] = hn::Load(d, &h_[state_at(n + k, channel)]);
    }
    const Acc* b = b_.get() + n;
    const Acc* c = c_.get() + n;
    std::int64_t at = tile_at(0, channel);
    for (std::int64_t t = 0; t < steps; ++t, at += kBlockChannels, b += states_, c += states_) {
      const auto dt = hn::Load(d, &dt_[at]);
      const auto dt_u = hn::Load(d, &dt_u_[at]);
      auto y = hn::Load(d, &y_[at]);
#pragma GCC unroll 16
      for (int k = 0; k < kCount; ++k) {
        const auto decay = FlushedExp2<Acc>(hn::Mul(dt, a[k]));
        h[k] = hn::MulAdd(decay, h[k], hn::Mul(dt_u, hn::Set(d, b[k])));
        y = hn::MulAdd(h[k], hn::Set(d, c[k]), y);
      }
      hn::Store(y, d, &y_[at]);
    }
#pragma GCC unroll 16
    for (int k = 0; k < kCount; ++k) {
      hn::Store(h[k], d, &h_[state_at(n + k, channel)]);
    }
  }

  template <typename Params>
  void store_outputs(const Params& params, std::int64_t batch, std::int64_t t, std::int64_t steps,
                     std::int64_t end) {
    const Tag<Acc> d;
    if (params.z) {
      for (std::int64_t k = 0; k < steps; ++k) {
        const T* z = params.z.row(batch, t + k) + first_;
        const std::int64_t later = t + k + kRowsAhead < end ? t + k + kRowsAhead : end - 1;
        const T* later_z = params.z.row(batch, later) + first_;
        for (std::int64_t i = 0; i < channels_; i += kLanes<Acc>) {
          hwy::Prefetch(later_z + i);
          hn::Store(load_lanes<Acc>(z + i, channels_ - i), d, &dt_[tile_at(k, i)]);
        }
      }
      for (std::int64_t block = 0; block < channels_; block += kBlockChannels) {
        for_each_vector(steps, block, [&](std::int64_t at, std::int64_t) HWY_ATTR {
          hn::Store(Silu<Acc>(hn::Load(d, &dt_[at])), d, &dt_[at]);
        });
        for_each_vector(steps, block, [&](std::int64_t at, std::int64_t) HWY_ATTR {
          hn::Store(hn::Mul(hn::Load(d, &y_[at]), hn::Load(d, &dt_[at])), d, &y_[at]);
        });
      }
    }
    for (std::int64_t k = 0; k < steps; ++k) {
      T* out = params.out.row(batch, t + k) + first_;
      for (std::int64_t i = 0; i < channels_; i += kLanes<Acc>) {
        store_lanes<Acc>(hn::Load(d, &y_[tile_at(k, i)]), out + i, channels_ - i);
      }
    }
  }

  std::int64_t states_, first_ = 0, channels_ = 0;
  Scratch<Acc> a_;     // (blocks, N, channels), A times log2 e
  Scratch<Acc> h_;     // (blocks, N, channels)
  Scratch<Acc> b_;     // (steps, N)
  Scratch<Acc> c_;     // (steps, N)
  Scratch<Acc> dt_;    // (blocks, steps, channels); later silu(z)
  Scratch<Acc> dt_u_;  // (blocks, steps, channels)
  Scratch<Acc> y_;     // (blocks, steps, channels), before the gate
  Scratch<Acc> d_;     // (channels)
  Scratch<Acc> bias_;  // (channels)
};

}  // namespace simba::kernels::HWY_NAMESPACE
