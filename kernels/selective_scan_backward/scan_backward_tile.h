// The inputs of one tile of steps and one block of channels, widened, and what is a function of
// them alone. For the per-target sources only.
#pragma once

#include "kernels/cpu_kernels.h"
#include "kernels/simd_gradients.h"

namespace simba::kernels::HWY_NAMESPACE {

// Lanes are channels; those beyond the block's hold zeros.
template <typename T>
struct ScanBackwardTile {
  using Acc = AccumulateType<T>;
  using Params = SelectiveScanBackwardParams<T>;
  static constexpr std::int64_t kSteps = 32;

  HWY_INLINE explicit ScanBackwardTile(std::int64_t states)
      : b(kSteps * states),
        c(kSteps * states),
        u(kSteps * kBlockChannels),
        dt(kSteps * kBlockChannels),
        dt_u(kSteps * kBlockChannels),
        slope(kSteps * kBlockChannels),
        y(kSteps * kBlockChannels),
        dy(kSteps * kBlockChannels),
        z_slope(kSteps * kBlockChannels),
        g_a(kSteps * kBlockChannels),
        g_b(kSteps * kBlockChannels),
        d(kBlockChannels),
        bias(kBlockChannels),
        states_(states) {}

  // D and delta_bias of channels [first, first + channels).
  void load_parameters(const Params& params, std::int64_t first, std::int64_t channels) {
    first_ = first;
    channels_ = channels;
    for (std::int64_t i = 0; i < kBlockChannels; ++i) {
      d[i] = params.D && i < channels ? params.D[first + i] : Acc{0};
      bias[i] = params.delta_bias && i < channels ? params.delta_bias[first + i] : Acc{0};
    }
  }

  // u, dt, dt u, the slope of dt over delta, and B.
  void load_inputs(const Params& params, std::int64_t batch, std::int64_t t, std::int64_t steps) {
    const Tag<Acc> tag;
    for (std::int64_t k = 0; k < steps; ++k) {
      load_row(params.B.row(batch, t + k), &b[k * states_]);
      const T* u_row = params.u.row(batch, t + k) + first_;
      const T* delta = params.delta.row(batch, t + k) + first_;
      for (std::int64_t i = 0; i < channels_; i += kLanes<Acc>) {
        const std::int64_t at = k * kBlockChannels + i, count = channels_ - i;
        const auto biased = hn::Add(load_lanes<Acc>(delta + i, count), hn::Load(tag, &bias[i]));
        hn::Store(biased, tag, &dt[at]);
        hn::Store(load_lanes<Acc>(u_row + i, count), tag, &u[at]);
      }
    }
    if (params.delta_softplus) {
      for_each_vector(steps, [&](std::int64_t at, std::int64_t) HWY_ATTR {
        hn::Store(SoftplusParts<Acc>::exponential(hn::Load(tag, &dt[at])), tag, &slope[at]);
      });
      for_each_vector(steps, [&](std::int64_t at, std::int64_t) HWY_ATTR {
        const SoftplusParts<Acc> parts(hn::Load(tag, &dt[at]), hn::Load(tag, &slope[at]));
        hn::Store(SoftplusSlope<Acc>(parts.x, parts.w), tag, &slope[at]);
        hn::Store(parts.softplus(), tag, &dt[at]);
      });
    }
    for_each_vector(steps, [&](std::int64_t at, std::int64_t) HWY_ATTR {
      hn::Store(hn::Mul(hn::Load(tag, &dt[at]), hn::Load(tag, &u[at])), tag, &dt_u[at]);
    });
  }

  // C, dy, and with a gate z_slope and in y D u, to which the block adds the rest of y.
  void load_gradients(const Params& params, std::int64_t batch, std::int64_t t,
                      std::int64_t steps) {
    const Tag<Acc> tag;
    for (std::int64_t k = 0; k < steps; ++k) {
      load_row(params.C.row(batch, t + k), &c[k * states_]);
      const T* grad_out = params.grad_out.row(batch, t + k) + first_;
      const T* z = params.z ? params.z.row(batch, t + k) + first_ : nullptr;
      for (std::int64_t i = 0; i < channels_; i += kLanes<Acc>) {
        const std::int64_t at = k * kBlockChannels + i, count = channels_ - i;
        const auto grad = load_lanes<Acc>(grad_out + i, count);
        hn::Store(hn::Zero(tag), tag, &g_a[at]);
        hn::Store(hn::Zero(tag), tag, &g_b[at]);
        if (z) {
          const SiluParts<Acc> gate(load_lanes<Acc>(z + i, count));
          hn::Store(hn::Mul(grad, gate.slope()), tag, &z_slope[at]);
          hn::Store(hn::Mul(grad, gate.silu()), tag, &dy[at]);
          hn::Store(hn::Mul(hn::Load(tag, &u[at]), hn::Load(tag, &d[i])), tag, &y[at]);
        } else {
          hn::Store(grad, tag, &dy[at]);
          hn::Store(hn::Zero(tag), tag, &y[at]);
        }
      }
    }
  }

  Scratch<Acc> b, c;                // (steps, N)
  Scratch<Acc> u, dt, dt_u, slope;  // (steps, channels); slope: of dt over delta
  Scratch<Acc> y, dy, z_slope;      // (steps, channels); z_slope: grad_out silu'(z)
  Scratch<Acc> g_a, g_b;            // (steps, channels): sums over states of A g e h and B g
  Scratch<Acc> d, bias;             // (channels)

 private:
  // f(at, i) for every vector of the tile's steps: `at` its place in (steps, channels), i its
  // channel.
  template <typename Function>
  HWY_INLINE void for_each_vector(std::int64_t steps, const Function& f) const {
    for (std::int64_t k = 0; k < steps; ++k) {
      for (std::int64_t i = 0; i < channels_; i += kLanes<Acc>) f(k * kBlockChannels + i, i);
    }
  }

  // One row of B or C.
  HWY_INLINE void load_row(const T* row, Acc* to) const {
    for (std::int64_t n = 0; n < states_; n += kLanes<Acc>) {
      store_lanes<Acc>(load_lanes<Acc>(row + n, states_ - n), to + n, states_ - n);
    }
  }

  std::int64_t states_, first_ = 0, channels_ = 0;
};

}  // namespace simba::kernels::HWY_NAMESPACE
