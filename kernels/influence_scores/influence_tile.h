// What Eq. 4 takes from a tile of steps and a block of channels, in base 2: see
// influence_scores_cpu.cpp. For the per-target sources only.
#pragma once

#include "kernels/cpu_kernels.h"
#include "kernels/simd_math.h"

namespace simba::kernels::HWY_NAMESPACE {

// Lanes are channels, or states in (steps, N). Tiles are loaded from a sequence's end to its begin,
// since R is carried from one to the next.
template <typename T>
class InfluenceTile {
 public:
  using Acc = AccumulateType<T>;
  static constexpr std::int64_t kSteps = 16;
  static constexpr std::int64_t kChannels = kInfluenceBlockChannels;

  explicit InfluenceTile(const InfluenceScoresParams<T>& params)
      : params_(params),
        states_(params.states),
        states_padded_(ceil_div(params.states, kLanes<Acc>) * kLanes<Acc>),
        a_(states_ * kChannels),
        a_largest_(kChannels),
        bias_(kChannels),
        suffix_(kChannels),
        compensation_(kChannels),
        log_c_(states_padded_),
        c_(states_padded_),
        g_(kSteps * states_padded_),
        sign_(kSteps * states_padded_),
        g_bound_(kSteps > kLanes<Acc> ? kSteps : kLanes<Acc>),
        decay_(kSteps * kChannels),
        log_dt_u_(kSteps * kChannels),
        delta_(kSteps * kChannels),
        exponential_(kSteps * kChannels) {}

  // Reads A and delta_bias of channels [first, first + channels).
  void load_parameters(std::int64_t first, std::int64_t channels) {
    first_ = first;
    channels_ = channels;
    for (std::int64_t i = 0; i < kChannels; ++i) {
      const bool inside = i < channels;
      bias_[i] = params_.delta_bias && inside ? params_.delta_bias[first + i] : Acc{0};
      Acc largest = -std::numeric_limits<Acc>::infinity();
      for (std::int64_t n = 0; n < states_; ++n) {
        const Acc a =
            inside ? params_.A[(first + i) * states_ + n] * MathConstants<Acc>::kLog2E : Acc{0};
        a_[n * kChannels + i] = a;
        largest = a > largest || a != a ? a : largest;
      }
      a_largest_[i] = round_up(largest);
    }
  }

  // Begins a sequence whose last token lies at position `last`.
  void begin(std::int64_t batch, std::int64_t last) {
    load_last_c(batch, last);
    for (std::int64_t i = 0; i < kChannels; ++i) suffix_[i] = compensation_[i] = Acc{0};
  }

  // Positions [t, t + steps), steps <= kSteps, which end where the tile loaded before begins.
  void load(std::int64_t batch, std::int64_t t, std::int64_t steps) {
    load_couplings(batch, t, steps);
    load_steps(batch, t, steps);
    sum_decays(steps);
  }

  std::int64_t first_channel() const { return first_; }
  std::int64_t channels() const { return channels_; }

  // log2(dt |u|) of step k of the tile, for the vector of channels from `channel` on.
  HWY_INLINE Vec<Acc> log_dt_u(std::int64_t k, std::int64_t channel) const {
    return hn::Load(Tag<Acc>(), &log_dt_u_[k * kChannels + channel]);
  }

  // a[n] R + G[n], the exponent of state n's term.
  HWY_INLINE Vec<Acc> exponent(std::int64_t k, std::int64_t channel, std::int64_t n) const {
    const Tag<Acc> d;
    return hn::MulAdd(hn::Load(d, &a_[n * kChannels + channel]),
                      hn::Load(d, &decay_[k * kChannels + channel]),
                      hn::Set(d, g_[k * states_padded_ + n]));
  }

  // The sign of state n's term, but for u's.
  HWY_INLINE Acc sign(std::int64_t k, std::int64_t n) const {
    return sign_[k * states_padded_ + n];
  }

  // An upper bound of log2|dy|: log2(dt|u|) + max over n of a[n] R + log2 sum over n of |C_T B_t|,
  // each term rounded up.
  HWY_INLINE Vec<Acc> upper_bound(std::int64_t k, std::int64_t channel) const {
    const Tag<Acc> d;
    const std::int64_t at = k * kChannels + channel;
    const auto log = log_dt_u(k, channel);
    const auto rounded_up =
        hn::Max(hn::Mul(log, hn::Set(d, 1 + kSlack)), hn::Mul(log, hn::Set(d, 1 - kSlack)));
    const auto rest = hn::MulAdd(hn::Load(d, &a_largest_[channel]), hn::Load(d, &decay_[at]),
                                 hn::Set(d, g_bound_[k]));
    return hn::Add(rounded_up, rest);
  }

 private:
  // Slack of the bound relative to each of its terms and absolute: far above the rounding errors of
  // what it bounds, far below what would let it skip less.
  static constexpr Acc kSlack = std::is_same_v<Acc, float> ? 0x1p-18f : 0x1p-40;

  // A sum of |C_T B_t| below 2^kLowestUsable may have lost terms to underflow.
  static constexpr Acc kLowestUsable = std::numeric_limits<Acc>::min_exponent / 2;

  static HWY_INLINE Acc round_up(Acc x) { return x > 0 ? x * (1 + kSlack) : x * (1 - kSlack); }

  void load_last_c(std::int64_t batch, std::int64_t t) {
    const Tag<Acc> d;
    const T* row = params_.C.row(batch, t);
    for (std::int64_t n = 0; n < states_; n += kLanes<Acc>) {
      const auto c = load_lanes<Acc>(row + n, states_ - n);
      hn::Store(c, d, &c_[n]);
      hn::Store(Log2<Acc>(hn::Abs(c)), d, &log_c_[n]);
    }
  }

  // G and the signs of C_T B_t for the tile, and an upper bound of log2 sum over n of |C_T B_t|.
  void load_couplings(std::int64_t batch, std::int64_t t, std::int64_t steps) {
    const Tag<Acc> d;
    for (std::int64_t k = 0; k < steps; ++k) {
      const T* row = params_.B.row(batch, t + k);
      auto sum = hn::Zero(d);
      for (std::int64_t n = 0; n < states_; n += kLanes<Acc>) {
        const auto b = load_lanes<Acc>(row + n, states_ - n);
        const auto c = hn::Load(d, &c_[n]);
        const auto g = hn::Add(Log2<Acc>(hn::Abs(b)), hn::Load(d, &log_c_[n]));
        const std::int64_t at = k * states_padded_ + n;
        hn::Store(g, d, &g_[at]);
        hn::Store(hn::CopySignToAbs(hn::Set(d, Acc{1}), hn::Xor(b, c)), d, &sign_[at]);
        sum = hn::Add(sum, hn::Mul(hn::Abs(b), hn::Abs(c)));
      }
      g_bound_[k] = hn::GetLane(hn::SumOfLanes(d, sum));
    }
    for (std::int64_t k = 0; k < steps; k += kLanes<Acc>) {
      hn::Store(Log2<Acc>(hn::Load(d, &g_bound_[k])), d, &g_bound_[k]);
    }
    // What bounds nothing becomes NaN: then no vector is skipped.
    for (std::int64_t k = 0; k < steps; ++k) {
      const Acc bound = g_bound_[k];
      const bool usable = bound > kLowestUsable && bound < std::numeric_limits<Acc>::infinity();
      g_bound_[k] = usable ? round_up(bound) + kSlack * static_cast<Acc>(16 + states_)
                           : std::numeric_limits<Acc>::quiet_NaN();
    }
  }

  // f(at, i) for every vector of the tile's steps: `at` its place in (steps, channels), i its
  // channel.
  template <typename Function>
  HWY_INLINE void for_each_vector(std::int64_t steps, const Function& f) const {
    for (std::int64_t k = 0; k < steps; ++k) {
      for (std::int64_t i = 0; i < channels_; i += kLanes<Acc>) f(k * kChannels + i, i);
    }
  }

  // Fills log_dt_u_ and decay_ for the tile. In stages, since the long chain of elementary
  // functions of one vector would fill the processor's window and leave its units idle.
  void load_steps(std::int64_t batch, std::int64_t t, std::int64_t steps) {
    const Tag<Acc> d;
    const bool has_own_decay =
        params_.decay == InfluenceDecay::kNoBias && params_.delta_bias != nullptr;
    for (std::int64_t k = 0; k < steps; ++k) {
      const T* u = params_.u.row(batch, t + k) + first_;
      const T* delta = params_.delta.row(batch, t + k) + first_;
      for (std::int64_t i = 0; i < channels_; i += kLanes<Acc>) {
        const std::int64_t at = k * kChannels + i, count = channels_ - i;
        const auto raw = load_lanes<Acc>(delta + i, count);
        hn::Store(hn::Abs(load_lanes<Acc>(u + i, count)), d, &log_dt_u_[at]);
        hn::Store(hn::Add(raw, hn::Load(d, &bias_[i])), d, &delta_[at]);
        if (has_own_decay) hn::Store(raw, d, &decay_[at]);
      }
    }
    for_each_vector(steps, [&](std::int64_t at, std::int64_t) HWY_ATTR {
      hn::Store(SoftplusParts<Acc>::exponential(hn::Load(d, &delta_[at])), d, &exponential_[at]);
    });
    for_each_vector(steps, [&](std::int64_t at, std::int64_t) HWY_ATTR {
      const SoftplusParts<Acc> dt(hn::Load(d, &delta_[at]), hn::Load(d, &exponential_[at]));
      const auto u = hn::Load(d, &log_dt_u_[at]);
      hn::Store(hn::Mul(dt.scaled(), u), d, &log_dt_u_[at]);
      hn::Store(dt.scale_exponent(), d, &delta_[at]);
      if (!has_own_decay) hn::Store(dt.softplus(), d, &decay_[at]);
    });
    for_each_vector(steps, [&](std::int64_t at, std::int64_t) HWY_ATTR {
      const auto log = hn::Add(Log2<Acc>(hn::Load(d, &log_dt_u_[at])), hn::Load(d, &delta_[at]));
      hn::Store(log, d, &log_dt_u_[at]);
    });
    if (has_own_decay) {
      for_each_vector(steps, [&](std::int64_t at, std::int64_t) HWY_ATTR {
        hn::Store(SoftplusParts<Acc>::exponential(hn::Load(d, &decay_[at])), d, &exponential_[at]);
      });
      for_each_vector(steps, [&](std::int64_t at, std::int64_t) HWY_ATTR {
        const SoftplusParts<Acc> dt(hn::Load(d, &decay_[at]), hn::Load(d, &exponential_[at]));
        hn::Store(dt.softplus(), d, &decay_[at]);
      });
    }
  }

  // Replaces each step's own decay by R, the sum of the later ones': Kahan's sum from the last step
  // to the first. Once infinite, nothing is left to compensate.
  void sum_decays(std::int64_t steps) {
    const Tag<Acc> d;
    const auto infinity = hn::Set(d, std::numeric_limits<Acc>::infinity());
    for (std::int64_t k = steps; k-- > 0;) {
      for (std::int64_t i = 0; i < channels_; i += kLanes<Acc>) {
        const std::int64_t at = k * kChannels + i;
        const auto suffix = hn::Load(d, &suffix_[i]);
        const auto term = hn::Sub(hn::Load(d, &decay_[at]), hn::Load(d, &compensation_[i]));
        hn::Store(suffix, d, &decay_[at]);
        if (params_.decay == InfluenceDecay::kNone) continue;
        const auto sum = hn::Add(suffix, term);
        const auto error = hn::Sub(hn::Sub(sum, suffix), term);
        hn::Store(hn::IfThenElseZero(hn::Lt(sum, infinity), error), d, &compensation_[i]);
        hn::Store(sum, d, &suffix_[i]);
      }
    }
  }

  const InfluenceScoresParams<T>& params_;
  std::int64_t states_, states_padded_, first_ = 0, channels_ = 0;
  Scratch<Acc> a_;             // (N, channels), A log2 e
  Scratch<Acc> a_largest_;     // (channels), largest over n, rounded up
  Scratch<Acc> bias_;          // (channels)
  Scratch<Acc> suffix_;        // (channels), R
  Scratch<Acc> compensation_;  // (channels), of R
  Scratch<Acc> log_c_, c_;     // (N), of the last token
  Scratch<Acc> g_, sign_;      // (steps, N)
  Scratch<Acc> g_bound_;       // (steps)
  Scratch<Acc> decay_;         // (steps, channels), R of each step
  Scratch<Acc> log_dt_u_;      // (steps, channels)
  Scratch<Acc> delta_;         // (steps, channels), with the bias; later an exponent of dt
  Scratch<Acc> exponential_;   // (steps, channels), e^-|delta|
};

}  // namespace simba::kernels::HWY_NAMESPACE
