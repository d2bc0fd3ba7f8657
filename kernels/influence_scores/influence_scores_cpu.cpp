// Compiled once per CpuTarget. Work item i: block of channels i / S, sequence i % S; lanes are
// channels. In base 2, with a = A log2 e and G_t[n] = log2|C_T[n] B_t[n]|:
//   log2|dy_t| = log2(dt |u|) + m + log2|sum over n of sign 2^(a[n] R + G_t[n] - m)|,  m the
//   largest exponent
// Tiles of steps are walked from the sequence's end; R is a compensated suffix sum. A block's
// result for a token, partial[block, b, t], is the reduction over its channels;
// influence_scores_reduce joins blocks.
#include "kernels/influence_scores/influence_tile.h"
#include "kernels/influence_scores/log_norm.h"

namespace simba::kernels {
namespace HWY_NAMESPACE {

// Reduces the channels of one block, token by token.
template <typename T>
class InfluenceBlock {
 public:
  using Acc = AccumulateType<T>;

  explicit InfluenceBlock(const InfluenceScoresParams<T>& params)
      : params_(params), tile_(params), values_(kInfluenceBlockChannels) {}

  void load_parameters(std::int64_t first, std::int64_t channels) {
    tile_.load_parameters(first, channels);
  }

  // Scores of sequence s into partial (B, L).
  void run(std::int64_t s, Acc* partial) {
    const Sequences& sequences = params_.sequences;
    const std::int64_t batch = sequences.batch(s), begin = sequences.begin(s);
    const std::int64_t end = sequences.end(s);
    if (begin >= end) return;
    tile_.begin(batch, end - 1);
    partial += batch * sequences.length;
    for (std::int64_t tile_end = end; tile_end > begin;) {
      const std::int64_t t =
          tile_end - begin < InfluenceTile<T>::kSteps ? begin : tile_end - InfluenceTile<T>::kSteps;
      const std::int64_t steps = tile_end - t;
      tile_.load(batch, t, steps);
      for (std::int64_t k = 0; k < steps; ++k) partial[t + k] = score(batch, t, k);
      tile_end = t;
    }
  }

 private:
  // Terms below 2^-kNegligible of the largest are left out: whether a vector's other channels keep
  // a state must not show in a channel's sum.
  static constexpr Acc kNegligible = std::is_same_v<Acc, float> ? 40 : 80;

  HWY_INLINE Acc score(std::int64_t batch, std::int64_t t, std::int64_t k) {
    const bool is_max = params_.reduction == InfluenceReduction::kMax ||
                        params_.reduction == InfluenceReduction::kSignedMax;
    return is_max ? largest(batch, t, k) : norm(batch, t, k);
  }

  Acc norm(std::int64_t batch, std::int64_t t, std::int64_t k) {
    const Tag<Acc> d;
    for (std::int64_t i = 0; i < tile_.channels(); i += kLanes<Acc>) {
      hn::Store(log_influence(batch, t, k, i), d, &values_[i]);
    }
    return LogNorm<Acc>{params_.reduction}.of(values_.get(), tile_.channels());
  }

  // The maximum over channels. A vector none of whose channels can exceed the largest value so far
  // is skipped; the vector that won at the step before goes first, since slow channels stay slow.
  Acc largest(std::int64_t batch, std::int64_t t, std::int64_t k) {
    const Tag<Acc> d;
    Acc best = -std::numeric_limits<Acc>::infinity();
    const std::int64_t favourite = favourite_ < tile_.channels() ? favourite_ : 0;
    for (std::int64_t i = -kLanes<Acc>; i < tile_.channels(); i += kLanes<Acc>) {
      if (i == favourite) continue;
      const bool first = i < 0;
      const std::int64_t channel = first ? favourite : i;
      if (!first && hn::AllTrue(d, hn::Le(tile_.upper_bound(k, channel), hn::Set(d, best)))) {
        continue;
      }
      const auto values = log_influence(batch, t, k, channel);
      if (!hn::AllFalse(d, hn::IsNaN(values))) return std::numeric_limits<Acc>::quiet_NaN();
      const Acc candidate = hn::GetLane(hn::MaxOfLanes(d, values));
      if (candidate > best) {
        best = candidate;
        favourite_ = channel;
      }
    }
    return best;
  }

  // log2|dy| of one vector of channels; -inf where kSignedMax and dy is not positive, and beyond
  // the block's channels.
  Vec<Acc> log_influence(std::int64_t batch, std::int64_t t, std::int64_t k,
                         std::int64_t channel) const {
    const Tag<Acc> d;
    const auto infinity = hn::Set(d, std::numeric_limits<Acc>::infinity());
    auto largest = hn::Neg(infinity);
    for (std::int64_t n = 0; n < params_.states; ++n) {
      largest = hn::Max(tile_.exponent(k, channel, n), largest);
    }
    // An infinite one is not factored out: infinity - infinity would be NaN.
    largest = hn::IfThenElseZero(hn::Lt(hn::Abs(largest), infinity), largest);
    const auto negligible = hn::Sub(largest, hn::Set(d, kNegligible));
    auto sum = hn::Zero(d);
    for (std::int64_t n = 0; n < params_.states; ++n) {
      const auto e = tile_.exponent(k, channel, n);
      const auto tiny = hn::Lt(e, negligible);
      if (hn::AllTrue(d, tiny)) continue;
      const auto term = hn::IfThenZeroElse(tiny, Exp2<Acc>(hn::Sub(e, largest)));
      sum = hn::MulAdd(hn::Set(d, tile_.sign(k, n)), term, sum);
    }
    auto value = hn::Add(hn::Add(Log2<Acc>(hn::Abs(sum)), largest), tile_.log_dt_u(k, channel));
    if (params_.reduction == InfluenceReduction::kSignedMax) {
      const T* u_row = params_.u.row(batch, t + k) + tile_.first_channel() + channel;
      const auto u = load_lanes<Acc>(u_row, tile_.channels() - channel);
      const auto negative = hn::Lt(hn::CopySign(hn::Set(d, Acc{1}), hn::Xor(sum, u)), hn::Zero(d));
      value = hn::IfThenElse(hn::And(negative, hn::Eq(value, value)), hn::Neg(infinity), value);
    }
    const std::int64_t count = tile_.channels() - channel;
    if (count >= kLanes<Acc>) return value;
    return hn::IfThenElse(hn::FirstN(d, static_cast<std::size_t>(count)), value, hn::Neg(infinity));
  }

  const InfluenceScoresParams<T>& params_;
  InfluenceTile<T> tile_;
  Scratch<Acc> values_;         // (channels)
  std::int64_t favourite_ = 0;  // channel of the vector that held the last maximum
};

}  // namespace HWY_NAMESPACE

template <CpuTarget target, typename T>
void influence_scores_target(const InfluenceScoresParams<T>& params, std::int64_t begin,
                             std::int64_t end) {
  if (begin >= end) return;
  HWY_NAMESPACE::InfluenceBlock<T> block(params);
  std::int64_t loaded = -1;
  for (std::int64_t item = begin; item < end; ++item) {
    const std::int64_t index = item / params.sequences.count;
    const std::int64_t first = index * kInfluenceBlockChannels;
    if (loaded != first) {
      const std::int64_t rest = params.channels - first;
      block.load_parameters(first, rest < kInfluenceBlockChannels ? rest : kInfluenceBlockChannels);
      loaded = first;
    }
    block.run(item % params.sequences.count,
              params.partial + index * params.batch * params.sequences.length);
  }
}

template <CpuTarget target, typename T>
void influence_scores_reduce_target(const InfluenceScoresParams<T>& params, std::int64_t begin,
                                    std::int64_t end) {
  using Acc = AccumulateType<T>;
  const std::int64_t blocks = ceil_div(params.channels, kInfluenceBlockChannels);
  const std::int64_t plane = params.batch * params.sequences.length;
  constexpr Acc kLowest = -std::numeric_limits<Acc>::infinity();
  const std::int64_t padded =
      ceil_div(blocks, HWY_NAMESPACE::kLanes<Acc>) * HWY_NAMESPACE::kLanes<Acc>;
  const HWY_NAMESPACE::Scratch<Acc> values(padded);
  const HWY_NAMESPACE::LogNorm<Acc> norm{params.reduction};
  for (std::int64_t flat = begin; flat < end; ++flat) {
    for (std::int64_t block = 0; block < padded; ++block) {
      values[block] = block < blocks ? params.partial[block * plane + flat] : kLowest;
    }
    params.scores[flat] = norm.of(values.get(), blocks);
  }
}

#define SIMBA_INSTANTIATE(T)                                                    \
  template void influence_scores_target<CpuTarget::SIMBA_CPU_TARGET, T>(        \
      const InfluenceScoresParams<T>&, std::int64_t, std::int64_t);             \
  template void influence_scores_reduce_target<CpuTarget::SIMBA_CPU_TARGET, T>( \
      const InfluenceScoresParams<T>&, std::int64_t, std::int64_t);
SIMBA_INSTANTIATE(float)
SIMBA_INSTANTIATE(double)
SIMBA_INSTANTIATE(BFloat16)
SIMBA_INSTANTIATE(Float16)
#undef SIMBA_INSTANTIATE

}  // namespace simba::kernels
