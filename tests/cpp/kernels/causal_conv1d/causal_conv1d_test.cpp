#include "kernels/causal_conv1d/causal_conv1d.h"

#include "tests/cpp/kernels/test_support.h"

namespace simba::kernels::testing {
namespace {

struct Case {
  const char* name = "base";
  std::int64_t batch = 2, length = 63, channels = 17, width = 4, gap = 3;
  bool bias = true, initial_state = true, silu = true;
  std::vector<std::int32_t> cu_seqlens = {};
};

const Case kCases[] = {
    {},
    {.name = "length 0", .length = 0},
    {.name = "length 1", .length = 1},
    {.name = "length 2", .length = 2},
    {.name = "length 3", .length = 3},
    {.name = "length 33", .length = 33},
    {.name = "length 129", .length = 129},
    {.name = "no sequence", .batch = 0},
    {.name = "no channel", .channels = 0},
    {.name = "1 channel", .channels = 1},
    {.name = "5 channels", .channels = 5},
    {.name = "16 channels", .channels = 16},
    {.name = "130 channels", .channels = 130},
    {.name = "width 1", .width = 1},
    {.name = "width 2", .width = 2},
    {.name = "width 3", .width = 3},
    {.name = "width 7", .width = 7},
    {.name = "width above length", .length = 5, .width = 40},
    {.name = "contiguous", .gap = 0},
    {.name = "no bias", .bias = false},
    {.name = "no initial_state", .initial_state = false},
    {.name = "no activation", .silu = false},
    {.name = "packed", .batch = 1, .length = 70, .cu_seqlens = {0, 33, 33, 34, 36, 70}},
};

template <typename T>
struct Problem {
  using Acc = AccumulateType<T>;

  explicit Problem(const Case& c)
      : shape(c),
        sequences(c.cu_seqlens.empty() ? c.batch
                                       : static_cast<std::int64_t>(c.cu_seqlens.size()) - 1),
        x(c.batch, c.length, c.channels, c.gap),
        out(c.batch, c.length, c.channels, c.gap + 1),
        initial(sequences, c.channels, c.width - 1, 0),
        last(sequences, c.channels, c.width - 1, 0),
        weight(c.channels * c.width),
        bias(c.channels) {
    Normal normal(5);
    x.fill([&](auto...) { return normal(); });
    initial.fill([&](auto...) { return normal(); });
    for (Acc& w : weight) w = static_cast<Acc>(normal());
    for (Acc& b : bias) b = static_cast<Acc>(normal());
  }

  CausalConv1dParams<T> params() {
    CausalConv1dParams<T> p;
    p.sequences = {sequences, shape.length,
                   shape.cu_seqlens.empty() ? nullptr : shape.cu_seqlens.data()};
    p.channels = shape.channels, p.width = shape.width, p.silu = shape.silu;
    p.x = x.view(), p.out = out.rows();
    p.weight = weight.data();
    if (shape.bias) p.bias = bias.data();
    if (shape.initial_state) p.initial_state = initial.rows().data;
    p.last_state = last.rows().data;
    return p;
  }

  Case shape;
  std::int64_t sequences;
  Plane<T> x, out, initial, last;
  std::vector<Acc> weight, bias;
};

template <typename T>
void run_all(const CausalConv1dParams<T>& params) {
  causal_conv1d_cpu(params, 0, causal_conv1d_work_items(params));
}

template <typename T>
void expect_convolution(const Problem<T>& p) {
  const Case& c = p.shape;
  constexpr double kTolerance = std::is_same_v<T, double> ? 1e-15 : 1e-6;
  for (std::int64_t s = 0; s < p.sequences; ++s) {
    const bool packed = !c.cu_seqlens.empty();
    const std::int64_t b = packed ? 0 : s;
    const std::int64_t begin = packed ? c.cu_seqlens[s] : 0;
    const std::int64_t end = packed ? c.cu_seqlens[s + 1] : c.length;
    for (std::int64_t d = 0; d < c.channels; ++d) {
      // The input at a position relative to the sequence's begin, the initial state before it.
      const auto input = [&](std::int64_t t) {
        if (t >= 0) return p.x(b, begin + t, d);
        return c.initial_state ? p.initial(s, d, c.width - 1 + t) : 0.0;
      };
      for (std::int64_t t = 0; t < end - begin; ++t) {
        double sum = c.bias ? p.bias[d] : 0, terms = std::abs(sum);
        for (std::int64_t k = 0; k < c.width; ++k) {
          const double term = p.weight[d * c.width + k] * input(t - (c.width - 1) + k);
          sum += term;
          terms += std::abs(term);
        }
        const double gate = c.silu ? 1 / (1 + std::exp(-sum)) : 1;
        // The derivative of silu is below 1.1.
        ASSERT_NEAR(
            p.out(b, begin + t, d), sum * gate,
            1.1 * kTolerance * terms + 1.01 * kRounding<T> * std::abs(sum * gate) + kSmallest<T>)
            << "sequence " << s << " position " << t << " channel " << d;
      }
      for (std::int64_t k = 0; k < c.width - 1; ++k) {
        ASSERT_EQ(p.last(s, d, k), input(end - begin - (c.width - 1) + k)) << d << " " << k;
      }
    }
  }
}

template <typename T>
void equals_convolution() {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    Problem<T> p(c);
    run_all(p.params());
    expect_convolution(p);
    EXPECT_TRUE(p.out.gaps_untouched());
    EXPECT_TRUE(p.last.gaps_untouched());
  }
}

template <typename T>
void split_anywhere_is_whole() {
  Problem<T> whole({.length = 70});
  run_all(whole.params());
  for (std::int64_t cut : {0, 1, 2, 3, 31, 32, 33, 68, 69, 70}) {
    SCOPED_TRACE(cut);
    Problem<T> parts({.length = 70});
    CausalConv1dParams<T> params = parts.params();
    params.sequences.length = cut;
    run_all(params);
    Plane<T> middle = parts.last;
    params.sequences.length = 70 - cut;
    params.x = parts.x.view(cut), params.out = parts.out.rows(cut);
    params.initial_state = middle.rows().data;
    run_all(params);
    EXPECT_TRUE(same_bits(parts.out, whole.out));
    EXPECT_TRUE(same_bits(parts.last, whole.last));
  }
}

template <typename T>
void any_order_of_work_items() {
  Problem<T> once({.batch = 3, .channels = 150});
  Problem<T> backwards = once;
  run_all(once.params());
  const CausalConv1dParams<T> params = backwards.params();
  for (std::int64_t i = causal_conv1d_work_items(params); i-- > 0;) {
    causal_conv1d_cpu(params, i, i + 1);
  }
  EXPECT_TRUE(same_bits(once.out, backwards.out));
  EXPECT_TRUE(same_bits(once.last, backwards.last));
}

using CausalConv1d = OnEveryTarget;
SIMBA_TEST_TYPES(CausalConv1d, EqualsConvolution, equals_convolution)
SIMBA_TEST_TYPES(CausalConv1d, SplitAnywhereIsWhole, split_anywhere_is_whole)
SIMBA_TEST_TYPES(CausalConv1d, AnyOrderOfWorkItems, any_order_of_work_items)
INSTANTIATE_TEST_SUITE_P(Target, CausalConv1d, ::testing::ValuesIn(supported_targets()),
                         target_name);

}  // namespace
}  // namespace simba::kernels::testing
