// What all channels share in a tile of tokens: |C_T[n] B_t[n]| of every state, in base 2. For the
// per-target sources only.
#pragma once

#include "kernels/cpu_kernels.h"
#include "kernels/simd_math.h"

namespace simba::kernels::HWY_NAMESPACE {

// Lanes are tokens. Far from the end of a sequence few states matter, and always the first ones
// where A is in order: the others' logarithms are never taken.
template <typename T>
class InfluenceCouplings {
 public:
  using Acc = AccumulateType<T>;
  static constexpr std::int64_t kSteps = 16;

  // Slack of bounds relative to each of their terms, and absolute: far above the rounding errors of
  // what they bound, far below what would let them skip less.
  static constexpr Acc kSlack = std::is_same_v<Acc, float> ? 0x1p-18f : 0x1p-40;

  // Products of numbers from here on lose nothing to underflow.
  static constexpr Acc kSmallestUsable = std::is_same_v<Acc, float> ? 0x1p-60f : 0x1p-500;

  explicit InfluenceCouplings(const InfluenceScoresParams<T>& params)
      : params_(params),
        states_(params.states),
        states_padded_(ceil_div(params.states, kLanes<Acc>) * kLanes<Acc>),
        c_(states_padded_),
        log_c_(states_padded_),
        b_(kSteps * states_padded_),
        log_(states_padded_ * kSteps),
        sign_(states_padded_ * kSteps),
        bound_(kSteps) {}

  // Begins a sequence whose last token lies at position `last`.
  void begin(std::int64_t batch, std::int64_t last) {
    const Tag<Acc> d;
    const T* row = params_.C.row(batch, last);
    for (std::int64_t n = 0; n < states_; n += kLanes<Acc>) {
      const auto c = load_lanes<Acc>(row + n, states_ - n);
      hn::Store(c, d, &c_[n]);
      hn::Store(Log2<Acc>(hn::Abs(c)), d, &log_c_[n]);
    }
  }

  // Positions [t, t + steps). Tokens from `steps` on are as if B were 0 there.
  void load(std::int64_t batch, std::int64_t t, std::int64_t steps) {
    const Tag<Acc> d;
    ready_ = 0;
    for (std::int64_t k = 0; k < kSteps; ++k) {
      auto sum = hn::Zero(d);
      for (std::int64_t n = 0; n < states_; n += kLanes<Acc>) {
        const auto b =
            k < steps ? load_lanes<Acc>(params_.B.row(batch, t + k) + n, states_ - n) : hn::Zero(d);
        hn::Store(b, d, &b_[k * states_padded_ + n]);
        sum = hn::MulAdd(hn::Abs(b), hn::Abs(hn::Load(d, &c_[n])), sum);
      }
      bound_[k] = hn::GetLane(hn::SumOfLanes(d, sum));
    }
    const auto absolute = hn::Set(d, kSlack * static_cast<Acc>(64 + states_));
    for (std::int64_t k = 0; k < kSteps; k += kLanes<Acc>) {
      const auto sum = hn::Load(d, &bound_[k]);
      const auto usable = hn::And(hn::Gt(sum, hn::Set(d, kSmallestUsable)),
                                  hn::Lt(sum, hn::Set(d, std::numeric_limits<Acc>::infinity())));
      const auto log = Log2<Acc>(sum);
      const auto up =
          hn::Max(hn::Mul(log, hn::Set(d, 1 + kSlack)), hn::Mul(log, hn::Set(d, 1 - kSlack)));
      const auto nothing = hn::Set(d, std::numeric_limits<Acc>::quiet_NaN());
      hn::Store(hn::IfThenElse(usable, hn::Add(up, absolute), nothing), d, &bound_[k]);
    }
    // Nothing of a token that is not there counts.
    for (std::int64_t k = steps; k < kSteps; ++k) {
      bound_[k] = -std::numeric_limits<Acc>::infinity();
    }
  }

  // Upper bounds of log2 sum over n of |C_T B_k| for the tokens from step k on; NaN where the sum
  // says nothing.
  HWY_INLINE Vec<Acc> bound(std::int64_t k) const { return hn::Load(Tag<Acc>(), &bound_[k]); }

  // log2|C_T[n] B_k[n]| and a number of its sign, for the tokens from step k on; of states below
  // those asked for by prepare().
  HWY_INLINE Vec<Acc> log(std::int64_t n, std::int64_t k) const {
    return hn::Load(Tag<Acc>(), &log_[n * kSteps + k]);
  }
  HWY_INLINE Vec<Acc> sign(std::int64_t n, std::int64_t k) const {
    return hn::Load(Tag<Acc>(), &sign_[n * kSteps + k]);
  }

  HWY_INLINE void prepare(std::int64_t states) {
    if (HWY_UNLIKELY(states > ready_)) prepare_more(states);
  }

 private:
  HWY_NOINLINE void prepare_more(std::int64_t states) {
    const Tag<Acc> d;
    const hn::RebindToSigned<Tag<Acc>> di;
    using Int = hn::TFromD<decltype(di)>;
    const auto row = hn::Mul(hn::Iota(di, Int{0}), hn::Set(di, static_cast<Int>(states_padded_)));
    for (; ready_ < states; ++ready_) {
      for (std::int64_t k = 0; k < kSteps; k += kLanes<Acc>) {
        const auto b = hn::GatherIndex(d, &b_[k * states_padded_ + ready_], row);
        const auto log = hn::Add(Log2<Acc>(hn::Abs(b)), hn::Set(d, log_c_[ready_]));
        hn::Store(log, d, &log_[ready_ * kSteps + k]);
        const auto sign = hn::CopySignToAbs(hn::Set(d, Acc{1}), hn::Xor(b, hn::Set(d, c_[ready_])));
        hn::Store(sign, d, &sign_[ready_ * kSteps + k]);
      }
    }
  }

  const InfluenceScoresParams<T>& params_;
  std::int64_t states_, states_padded_, ready_ = 0;
  Scratch<Acc> c_, log_c_;   // (N), of the last token
  Scratch<Acc> b_;           // (steps, N)
  Scratch<Acc> log_, sign_;  // (N, steps)
  Scratch<Acc> bound_;       // (steps)
};

}  // namespace simba::kernels::HWY_NAMESPACE
