// Compiled once per CpuTarget. Work item i: block of channels i / S, sequence i % S. In base 2,
// with a = A log2 e and G_t[n] = log2|C_T[n] B_t[n]|:
//   log2|dy_t| = log2(dt |u|) + m + log2|sum over n of sign 2^(a[n] R + G_t[n] - m)|,  m the
//   largest exponent
// Tiles of tokens are walked from the sequence's end. The maximum over channels needs most of them
// nowhere: R alone, with the largest dt |u| of a tile, bounds what a channel can reach there.
// A block's result for a token, partial[block, b, t], is the reduction over its channels, and a
// maximum over those of blocks that the thread has done before too: they need not be reached again.
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
  using Tile = InfluenceTile<T>;

  explicit InfluenceBlock(const InfluenceScoresParams<T>& params)
      : params_(params),
        tile_(params),
        is_max_(params.reduction == InfluenceReduction::kMax ||
                params.reduction == InfluenceReduction::kSignedMax),
        values_(is_max_ ? Tile::kSteps : Tile::kChannels * Tile::kSteps),
        threshold_(Tile::kSteps) {}

  void load_parameters(std::int64_t first, std::int64_t channels) {
    tile_.load_parameters(first, channels);
    favourite_ = 0;
  }

  // Scores of sequence s into partial (B, L). A maximum begins at `reached` (B, L), of other
  // channels; nullptr for none.
  void run(std::int64_t s, const Acc* reached, Acc* partial) {
    const Sequences& sequences = params_.sequences;
    const std::int64_t batch = sequences.batch(s), begin = sequences.begin(s);
    const std::int64_t end = sequences.end(s);
    if (begin >= end) return;
    tile_.begin(batch, begin, end - 1);
    partial += batch * sequences.length;
    if (reached) reached += batch * sequences.length;
    for (std::int64_t tile_end = end; tile_end > begin;) {
      const std::int64_t t = tile_end - begin < Tile::kSteps ? begin : tile_end - Tile::kSteps;
      tile_.load(batch, t, tile_end - t);
      if (is_max_) {
        largest(reached ? reached + t : nullptr, partial + t);
      } else {
        norm(partial + t);
      }
      tile_end = t;
    }
  }

 private:
  // Terms below 2^-kNegligible of the largest are left out, so that a state's being left out for
  // all of a vector's tokens does not show in one of them.
  static constexpr Acc kNegligible = std::is_same_v<Acc, float> ? 40 : 80;

  void norm(Acc* partial) {
    const Tag<Acc> d;
    for (std::int64_t i = 0; i < tile_.channels(); ++i) {
      for (std::int64_t k = 0; k < tile_.steps(); k += kLanes<Acc>) {
        const auto value = log_influence(i, k, tile_.outer(i, k));
        hn::Store(value, d, &values_[i * Tile::kSteps + k]);
      }
    }
    for (std::int64_t k = 0; k < tile_.steps(); k += kLanes<Acc>) {
      const auto value = log_norm<Acc>(params_.reduction, &values_[k], Tile::kSteps,
                                       tile_.channels(), kLanes<Acc>);
      store_lanes<Acc>(value, partial + k, tile_.steps() - k);
    }
  }

  // The maximum over channels, values_ so far. The channel that held it at the oldest token of the
  // tile before goes first, since slow channels stay slow; then whoever may exceed it.
  void largest(const Acc* reached, Acc* partial) {
    const Tag<Acc> d;
    const auto nothing = hn::Set(d, -std::numeric_limits<Acc>::infinity());
    for (std::int64_t k = 0; k < Tile::kSteps; k += kLanes<Acc>) {
      const bool known = reached && k < tile_.steps();
      const auto value = known ? load_lanes<Acc>(reached + k, tile_.steps() - k) : nothing;
      hn::Store(value, d, &values_[k]);
    }
    const std::int64_t first = favourite_;
    set_thresholds();
    if (tile_.channels() > 0) raise(first);
    for (std::int64_t i = 0; i < tile_.channels(); i += kLanes<Acc>) {
      auto rest = mask_bits(tile_.candidates(i, threshold_.get()));
      for (; rest != 0; rest &= rest - 1) {
        const std::int64_t channel = i + __builtin_ctz(rest);
        if (channel != first && channel < tile_.channels()) raise(channel);
      }
    }
    for (std::int64_t k = 0; k < tile_.steps(); k += kLanes<Acc>) {
      store_lanes<Acc>(hn::Load(d, &values_[k]), partial + k, tile_.steps() - k);
    }
  }

  template <typename Mask>
  static HWY_INLINE unsigned mask_bits(const Mask& mask) {
    std::uint8_t bits[8] = {};
    hn::StoreMaskBits(Tag<Acc>(), mask, bits);
    return bits[0] | static_cast<unsigned>(bits[1]) << 8;
  }

  // Takes a channel into the maxima.
  HWY_INLINE void raise(std::int64_t channel) {
    const Tag<Acc> d;
    bool raised = false;
    for (std::int64_t k = 0; k < tile_.steps(); k += kLanes<Acc>) {
      const auto threshold = hn::Load(d, &threshold_[k]);
      if (hn::AllTrue(d, hn::Le(tile_.bound(channel, k), threshold))) continue;
      const auto outer = tile_.outer(channel, k);
      if (hn::AllTrue(d, hn::Le(tile_.bound(channel, k, outer.bound), threshold))) continue;
      const auto before = hn::Load(d, &values_[k]);
      const auto after = max_or_nan<Acc>(log_influence(channel, k, outer), before);
      hn::Store(after, d, &values_[k]);
      raised = raised || !hn::AllTrue(d, hn::Eq(after, before));
    }
    if (!raised) return;
    set_thresholds();
    favourite_ = channel;
  }

  // What a channel's bound must exceed, token by token, to matter: always, where the sum over
  // states bounds nothing; never, where NaN was met.
  HWY_INLINE void set_thresholds() {
    const Tag<Acc> d;
    const auto infinity = hn::Set(d, std::numeric_limits<Acc>::infinity());
    for (std::int64_t k = 0; k < Tile::kSteps; k += kLanes<Acc>) {
      const auto value = hn::Load(d, &values_[k]), bound = tile_.couplings().bound(k);
      auto threshold = hn::Sub(value, bound);
      threshold = hn::IfThenElse(hn::IsNaN(bound), hn::Neg(infinity), threshold);
      const auto settled = hn::Or(hn::IsNaN(value), hn::Eq(bound, hn::Neg(infinity)));
      hn::Store(hn::IfThenElse(settled, infinity, threshold), d, &threshold_[k]);
    }
  }

  // log2|dy| of one channel for the tokens from step k on; -inf where kSignedMax and dy is not
  // positive.
  HWY_INLINE Vec<Acc> log_influence(std::int64_t channel, std::int64_t k,
                                    const typename Tile::Outer& outer) {
    const Tag<Acc> d;
    auto& couplings = tile_.couplings();
    const auto infinity = hn::Set(d, std::numeric_limits<Acc>::infinity());
    const auto negligible = hn::Set(d, kNegligible);
    const auto decay = tile_.decay(channel, k), bound = couplings.bound(k);
    const auto exponent = [&](std::int64_t n) HWY_ATTR {
      return hn::MulAdd(hn::Set(d, tile_.a(n, channel)), decay, couplings.log(n, k));
    };
    // States from `states` on are all negligible: a rounded multiply-add is monotone.
    auto largest = hn::Neg(infinity);
    std::int64_t states = 0;
    for (; states < params_.states; ++states) {
      const auto rest = hn::MulAdd(hn::Set(d, tile_.slowest(states, channel)), decay, bound);
      if (states > 0 && hn::AllTrue(d, hn::Lt(rest, hn::Sub(largest, negligible)))) break;
      couplings.prepare(states + 1);
      largest = hn::Max(exponent(states), largest);
    }
    // An infinite one is not factored out: infinity - infinity would be NaN.
    largest = hn::IfThenElseZero(hn::Lt(hn::Abs(largest), infinity), largest);
    const auto lowest = hn::Sub(largest, negligible);
    auto sum = hn::Zero(d);
    for (std::int64_t n = 0; n < states; ++n) {
      const auto e = exponent(n);
      const auto tiny = hn::Lt(e, lowest);
      if (hn::AllTrue(d, tiny)) continue;
      const auto term = hn::IfThenZeroElse(tiny, Exp2<Acc>(hn::Sub(e, largest)));
      sum = hn::MulAdd(couplings.sign(n, k), term, sum);
    }
    auto value = hn::Add(hn::Add(Log2<Acc>(hn::Abs(sum)), largest), outer.log);
    if (params_.reduction == InfluenceReduction::kSignedMax) {
      const auto sign = hn::CopySign(hn::Set(d, Acc{1}), hn::Xor(sum, outer.u));
      const auto negative = hn::Lt(sign, hn::Zero(d));
      value = hn::IfThenElse(hn::And(negative, hn::Eq(value, value)), hn::Neg(infinity), value);
    }
    return value;
  }

  const InfluenceScoresParams<T>& params_;
  Tile tile_;
  bool is_max_;
  Scratch<Acc> values_;     // (steps) of the maxima, or (channels, steps)
  Scratch<Acc> threshold_;  // (steps)
  std::int64_t favourite_ = 0;
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
    const std::int64_t plane = params.batch * params.sequences.length;
    AccumulateType<T>* partial = params.partial + index * plane;
    const bool block_before = item - params.sequences.count >= begin;
    block.run(item % params.sequences.count, block_before ? partial - plane : nullptr, partial);
  }
}

template <CpuTarget target, typename T>
void influence_scores_reduce_target(const InfluenceScoresParams<T>& params, std::int64_t begin,
                                    std::int64_t end) {
  using namespace HWY_NAMESPACE;
  using Acc = AccumulateType<T>;
  const std::int64_t blocks = ceil_div(params.channels, kInfluenceBlockChannels);
  const std::int64_t plane = params.batch * params.sequences.length;
  for (std::int64_t flat = begin; flat < end; flat += kLanes<Acc>) {
    const auto score =
        log_norm<Acc>(params.reduction, params.partial + flat, plane, blocks, end - flat);
    store_lanes<Acc>(score, params.scores + flat, end - flat);
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
