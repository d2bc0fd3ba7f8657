// What Eq. 4 takes from a tile of tokens and a block of channels, in base 2: see
// influence_scores_cpu.cpp. For the per-target sources only.
#pragma once

#include "kernels/cpu_kernels.h"
#include "kernels/influence_scores/influence_couplings.h"
#include "kernels/simd_math.h"

namespace simba::kernels::HWY_NAMESPACE {

// Tiles are loaded from a sequence's end to its begin, since R is carried from one to the next.
// Every element costs one softplus, for R; everything else is taken of single channels, with tokens
// in the lanes, once a channel may matter. Tokens of a short tile beyond its steps read as u = 0.
template <typename T>
class InfluenceTile {
 public:
  using Acc = AccumulateType<T>;
  using Couplings = InfluenceCouplings<T>;
  static constexpr std::int64_t kSteps = Couplings::kSteps;
  static constexpr std::int64_t kChannels = kInfluenceBlockChannels;

  explicit InfluenceTile(const InfluenceScoresParams<T>& params)
      : params_(params),
        couplings_(params),
        slowest_((params.states + 1) * kChannels),
        a_(params.states * kChannels),
        bias_(kChannels),
        suffix_(kChannels),
        compensation_(kChannels),
        decay_(kSteps * kChannels),
        outer_bound_(kChannels) {}

  // Reads A and delta_bias of channels [first, first + channels).
  void load_parameters(std::int64_t first, std::int64_t channels) {
    first_ = first;
    channels_ = channels;
    for (std::int64_t i = 0; i < kChannels; ++i) {
      const bool inside = i < channels;
      bias_[i] = params_.delta_bias && inside ? params_.delta_bias[first + i] : Acc{0};
      Acc slowest = -std::numeric_limits<Acc>::infinity();
      slowest_[params_.states * kChannels + i] = slowest;
      for (std::int64_t n = params_.states; n-- > 0;) {
        const Acc a = inside ? params_.A[(first + i) * params_.states + n] * kLog2E : Acc{0};
        // NaN for good where one is not finite.
        slowest = a - a != 0 ? a - a : a > slowest ? a : slowest;
        a_[n * kChannels + i] = a;
        slowest_[n * kChannels + i] = slowest;
      }
    }
  }

  // Begins a sequence of the positions from `first` to `last`.
  void begin(std::int64_t batch, std::int64_t first, std::int64_t last) {
    earliest_ = first;
    couplings_.begin(batch, last);
    for (std::int64_t i = 0; i < kChannels; ++i) suffix_[i] = compensation_[i] = Acc{0};
  }

  // Positions [t, t + steps), steps <= kSteps, which end where the tile loaded before begins.
  void load(std::int64_t batch, std::int64_t t, std::int64_t steps) {
    batch_ = batch, t_ = t, steps_ = steps;
    couplings_.load(batch, t, steps);
    for (std::int64_t i = 0; i < channels_; i += kLanes<Acc>) load_channels(i);
    for (std::int64_t at = steps * kChannels; at < kSteps * kChannels; ++at) decay_[at] = Acc{0};
  }

  std::int64_t channels() const { return channels_; }
  std::int64_t steps() const { return steps_; }
  Couplings& couplings() { return couplings_; }

  Acc a(std::int64_t n, std::int64_t channel) const { return a_[n * kChannels + channel]; }
  // The largest a of the states from n on, -inf for none.
  Acc slowest(std::int64_t n, std::int64_t channel) const {
    return slowest_[n * kChannels + channel];
  }

  // R of a channel, for the tokens of the tile from step k on.
  HWY_INLINE Vec<Acc> decay(std::int64_t channel, std::int64_t k) const {
    const Tag<Acc> d;
    const hn::RebindToSigned<Tag<Acc>> di;
    const auto step = hn::Set(di, static_cast<hn::TFromD<decltype(di)>>(kChannels));
    return hn::GatherIndex(d, &decay_[k * kChannels + channel], hn::Mul(hn::Iota(di, 0), step));
  }

  // u and log2(dt |u|) of a channel, for the tokens of the tile from step k on.
  struct Outer {
    Vec<Acc> u, log, bound;
  };
  HWY_INLINE Outer outer(std::int64_t channel, std::int64_t k) const {
    const Tag<Acc> d;
    T delta[kLanes<Acc>] = {}, u[kLanes<Acc>] = {};
    for (std::int64_t i = 0; i < kLanes<Acc> && k + i < steps_; ++i) {
      delta[i] = params_.delta.row(batch_, t_ + k + i)[first_ + channel];
      u[i] = params_.u.row(batch_, t_ + k + i)[first_ + channel];
    }
    const auto wide_u = load_full<Acc>(u);
    const auto biased = hn::Add(load_full<Acc>(delta), hn::Set(d, bias_[channel]));
    const LogDtU log = log_dt_u(biased, hn::Abs(wide_u));
    return {wide_u, hn::Add(log.product, log.scale), log.bound()};
  }

  // Upper bounds of log2|dy| less log2 sum over n of |C_T B_k|, for the tokens from step k on: from
  // the tile's largest dt |u|, and from `outer`, that of their own.
  HWY_INLINE Vec<Acc> bound(std::int64_t channel, std::int64_t k) const {
    return bound(channel, k, hn::Set(Tag<Acc>(), outer_bound_[channel]));
  }
  HWY_INLINE Vec<Acc> bound(std::int64_t channel, std::int64_t k, Vec<Acc> outer) const {
    const auto a = round_up(hn::Set(Tag<Acc>(), slowest(0, channel)));
    return hn::MulAdd(a, decay(channel, k), outer);
  }

  // The mask of those of a vector of channels that may exceed, at some token k, threshold[k] +
  // log2 sum over n of |C_T B_k|; threshold[k] is not NaN.
  HWY_INLINE auto candidates(std::int64_t channel, const Acc* threshold) const {
    const Tag<Acc> d;
    const auto a = round_up(hn::Load(d, &slowest_[channel]));
    auto excess = hn::Set(d, -std::numeric_limits<Acc>::infinity());
    for (std::int64_t k = 0; k < steps_; ++k) {
      const auto decay = hn::Load(d, &decay_[k * kChannels + channel]);
      excess = hn::Max(hn::MulAdd(a, decay, hn::Set(d, -threshold[k])), excess);
    }
    // The maxima drop NaN: what may have been one is a candidate.
    const auto infinity = hn::Set(d, std::numeric_limits<Acc>::infinity());
    const auto known = hn::And(hn::Eq(a, a), hn::Lt(hn::Load(d, &suffix_[channel]), infinity));
    const auto total = hn::Add(hn::Load(d, &outer_bound_[channel]), excess);
    return hn::Not(hn::And(known, hn::Le(total, hn::Zero(d))));
  }

 private:
  static constexpr Acc kLog2E = MathConstants<Acc>::kLog2E;
  static constexpr Acc kSlack = Couplings::kSlack;

  static HWY_INLINE Vec<Acc> round_up(Vec<Acc> x) {
    const Tag<Acc> d;
    return hn::Max(hn::Mul(x, hn::Set(d, 1 + kSlack)), hn::Mul(x, hn::Set(d, 1 - kSlack)));
  }

  // log2(dt u) for u >= 0 in two parts, the second for a dt that would underflow.
  struct LogDtU {
    Vec<Acc> product, scale;
    HWY_INLINE Vec<Acc> bound() const { return hn::Add(round_up(product), round_up(scale)); }
  };
  static HWY_INLINE LogDtU log_dt_u(Vec<Acc> delta, Vec<Acc> u) {
    const SoftplusParts<Acc> dt(delta);
    return {Log2<Acc>(hn::Mul(dt.scaled(), u)), dt.scale_exponent()};
  }

  // R of a vector of channels at each step, and the bound of their dt |u|. R is a Kahan sum over
  // tiles; within one, of few terms, plain.
  HWY_INLINE void load_channels(std::int64_t i) {
    constexpr std::int64_t kTogether = 4;  // softplus is a long chain: several hide it
    const Tag<Acc> d;
    const std::int64_t count = channels_ - i;
    const auto bias = hn::Load(d, &bias_[i]);
    const bool full = params_.decay == InfluenceDecay::kFull;
    const bool none = params_.decay == InfluenceDecay::kNone;
    const auto decay_bias = full ? bias : hn::Zero(d);
    const auto suffix = hn::Load(d, &suffix_[i]);
    auto largest_delta = hn::Set(d, -std::numeric_limits<Acc>::infinity());
    auto largest_u = hn::Set(d, Couplings::kSmallestUsable);
    auto local = hn::Zero(d), unknown = hn::Zero(d);
    // The tile to come: its rows lie too far apart for the processor to see that they are next.
    const std::int64_t before = t_ - kSteps > earliest_ ? t_ - kSteps : earliest_;
    const auto take = [&](std::int64_t k, Vec<Acc>& delta) HWY_ATTR {
      const std::int64_t next = before + k < t_ ? before + k : before;
      hwy::Prefetch(params_.delta.row(batch_, next) + first_ + i);
      hwy::Prefetch(params_.u.row(batch_, next) + first_ + i);
      delta = load_lanes<Acc>(params_.delta.row(batch_, t_ + k) + first_ + i, count);
      const auto u = load_lanes<Acc>(params_.u.row(batch_, t_ + k) + first_ + i, count);
      largest_delta = hn::Max(delta, largest_delta);
      largest_u = hn::Max(hn::Abs(u), largest_u);
      // NaN where a maximum may have lost one.
      unknown = hn::MulAdd(hn::Add(delta, u), hn::Zero(d), unknown);
    };
    const auto add = [&](std::int64_t k, Vec<Acc> step) HWY_ATTR {
      hn::Store(hn::Add(suffix, local), d, &decay_[k * kChannels + i]);
      if (!none) local = hn::Add(local, step);
    };
    std::int64_t k = steps_;
    for (; k >= kTogether; k -= kTogether) {
      Vec<Acc> delta[kTogether];
#pragma GCC unroll 4
      for (int j = 0; j < kTogether; ++j) {
        take(k - 1 - j, delta[j]);
        delta[j] = Softplus<Acc>(hn::Add(delta[j], decay_bias));
      }
#pragma GCC unroll 4
      for (int j = 0; j < kTogether; ++j) add(k - 1 - j, delta[j]);
    }
    for (; k > 0; --k) {
      Vec<Acc> delta;
      take(k - 1, delta);
      add(k - 1, Softplus<Acc>(hn::Add(delta, decay_bias)));
    }
    carry(i, suffix, local);
    const LogDtU bound = log_dt_u(hn::Add(largest_delta, bias), largest_u);
    hn::Store(hn::Add(bound.bound(), unknown), d, &outer_bound_[i]);
  }

  // Adds a tile's sum to R. Once infinite, nothing is left to compensate.
  HWY_INLINE void carry(std::int64_t i, Vec<Acc> suffix, Vec<Acc> local) {
    const Tag<Acc> d;
    const auto infinity = hn::Set(d, std::numeric_limits<Acc>::infinity());
    const auto term = hn::Sub(local, hn::Load(d, &compensation_[i]));
    const auto sum = hn::Add(suffix, term);
    const auto error = hn::Sub(hn::Sub(sum, suffix), term);
    hn::Store(hn::IfThenElseZero(hn::Lt(sum, infinity), error), d, &compensation_[i]);
    hn::Store(sum, d, &suffix_[i]);
  }

  const InfluenceScoresParams<T>& params_;
  Couplings couplings_;
  std::int64_t first_ = 0, channels_ = 0, batch_ = 0, t_ = 0, steps_ = 0, earliest_ = 0;
  Scratch<Acc> slowest_;       // (N, channels)
  Scratch<Acc> a_;             // (N, channels), A log2 e
  Scratch<Acc> bias_;          // (channels)
  Scratch<Acc> suffix_;        // (channels), R before the next tile
  Scratch<Acc> compensation_;  // (channels), of R
  Scratch<Acc> decay_;         // (steps, channels), R of each step
  Scratch<Acc> outer_bound_;   // (channels)
};

}  // namespace simba::kernels::HWY_NAMESPACE
