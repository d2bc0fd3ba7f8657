#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <ostream>
#include <string>

#include "kernels/cuda/device.h"
#include "kernels/select_tokens/select_tokens_cuda.h"
#include "kernels/select_tokens/select_tokens_paths.h"
#include "tests/cpp/kernels_cuda/layout.h"
#include "tests/cpp/kernels_cuda/paths.h"

namespace simba::kernels {
namespace {

struct Case {
  std::string name;
  Layout (*layout)() = [] { return Layout::batch_of(3, 129); };
  double retention = 0.3;
  // Of which scores are drawn.
  std::vector<double> (*scores)(std::int64_t count) = [](std::int64_t count) {
    return Random(1).normal(count, -100, 50);
  };
};

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<double> draw_from(std::int64_t count, const std::vector<double>& choices) {
  std::vector<double> values = Random(2).uniform(count, 0, static_cast<double>(choices.size()));
  for (double& value : values) value = choices[static_cast<std::size_t>(value)];
  return values;
}

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

const std::vector<Case>& cases() {
  static const std::vector<Case> table = {
      {.name = "base"},
      {.name = "one_token", .layout = [] { return Layout::batch_of(3, 1); }},
      {.name = "tile", .layout = [] { return Layout::batch_of(2, 513); }},
      {.name = "tile_and_one", .layout = [] { return Layout::batch_of(2, 514); }},
      // The fast kernel has variants for up to 2048, 32768 and 131072 tokens that compete.
      {.name = "length_2048", .layout = [] { return Layout::batch_of(2, 2048); }},
      {.name = "length_2049", .layout = [] { return Layout::batch_of(2, 2049); }, .retention = 0.1},
      {.name = "length_2050", .layout = [] { return Layout::batch_of(2, 2050); }, .retention = 0.9},
      {.name = "length_8193", .layout = [] { return Layout::batch_of(2, 8193); }},
      {.name = "length_8194", .layout = [] { return Layout::batch_of(2, 8194); }},
      {.name = "length_32769", .layout = [] { return Layout::batch_of(2, 32769); }},
      {.name = "length_32770", .layout = [] { return Layout::batch_of(1, 32770); }},
      {.name = "long_row", .layout = [] { return Layout::batch_of(1, 100003); }},
      {.name = "length_131073", .layout = [] { return Layout::batch_of(1, 131073); }},
      {.name = "length_131074", .layout = [] { return Layout::batch_of(1, 131074); }},
      {.name = "long_packed",
       .layout =
           [] {
             return Layout::packed({60, 500, 0, 17, 9000, 1, 2, 300, 2049});
           }},
      {.name = "no_tokens", .layout = [] { return Layout::batch_of(2, 0); }},
      {.name = "no_batch", .layout = [] { return Layout::batch_of(0, 5); }},
      {.name = "many_sequences", .layout = [] { return Layout::batch_of(600, 9); }},
      {.name = "packed",
       .layout =
           [] {
             return Layout::packed({7, 0, 640, 1, 33, 0});
           }},
      {.name = "packed_many",
       .layout = [] { return Layout::packed(std::vector<std::int32_t>(513, 5)); }},
      {.name = "keep_one", .retention = 0},
      {.name = "keep_all", .retention = 1},
      {.name = "all_equal", .scores = [](std::int64_t n) { return std::vector<double>(n, -3.5); }},
      {.name = "all_nan",
       .scores = [](std::int64_t n) { return std::vector<double>(n, std::nan("")); }},
      {.name = "few_values",
       .scores =
           [](std::int64_t n) {
             return draw_from(
                 n, {1, -1, 0.0, -0.0, kInfinity, -kInfinity, std::nan(""), 1e-40, -1e-40});
           }},
      {.name = "few_values_long",
       .layout = [] { return Layout::batch_of(2, 9001); },
       .retention = 0.4,
       .scores =
           [](std::int64_t n) {
             return draw_from(n, {1, -1, 0.0, -0.0, kInfinity, -kInfinity, std::nan("")});
           }},
      {.name = "all_nan_long",
       .layout = [] { return Layout::batch_of(1, 5003); },
       .scores = [](std::int64_t n) { return std::vector<double>(n, std::nan("")); }},
      {.name = "all_equal_long",
       .layout = [] { return Layout::batch_of(1, 30001); },
       .scores = [](std::int64_t n) { return std::vector<double>(n, 2.5); }},
      {.name = "keep_all_but_one_nan",
       .layout = [] { return Layout::batch_of(2, 700); },
       .retention = 0.9986,
       .scores = [](std::int64_t n) { return std::vector<double>(n, std::nan("")); }},
      {.name = "signed_zeros",
       .scores =
           [](std::int64_t n) {
             return draw_from(n, {0.0, -0.0});
           }},
      {.name = "nan_below_infinity",
       .retention = 0.7,
       .scores =
           [](std::int64_t n) {
             return draw_from(n, {-kInfinity, std::nan("")});
           }},
      {.name = "last_bits",
       .scores =
           [](std::int64_t n) {
             return draw_from(n, {1, 1 + 0x1p-23, 1 + 0x1p-22, 1 + 0x1p-52, 1 - 0x1p-24});
           }},
  };
  return table;
}

// Positions of a sequence ordered by (score, position), NaN lowest; the last one is in.
template <typename Acc>
std::vector<std::int64_t> reference(const std::vector<Acc>& scores, std::int64_t begin,
                                    std::int64_t end, std::int64_t keep) {
  std::vector<std::int64_t> order(std::max<std::int64_t>(end - begin - 1, 0));
  std::iota(order.begin(), order.end(), begin);
  std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    const bool a_nan = std::isnan(scores[a]), b_nan = std::isnan(scores[b]);
    if (a_nan != b_nan) return b_nan;
    if (!a_nan && scores[a] != scores[b]) return scores[a] > scores[b];
    return a > b;
  });
  order.resize(std::max<std::int64_t>(keep - 1, 0));
  if (keep > 0) order.push_back(end - 1);
  std::sort(order.begin(), order.end());
  return order;
}

template <typename Acc>
void check(const Case& c) {
  const Layout layout = c.layout();
  const std::int64_t gap = 3;  // between the batch's rows
  std::vector<Acc> scores(layout.batch() * (layout.length() + gap));
  const std::vector<Acc> drawn = store_all<Acc>(c.scores(layout.tokens()));
  std::vector<std::int64_t> offsets{0}, expected;
  for (std::int64_t s = 0; s < layout.count(); ++s) {
    const std::int64_t length = layout.end(s) - layout.begin(s);
    const auto share = static_cast<std::int64_t>(c.retention * static_cast<double>(length));
    const std::int64_t keep = std::min(length, std::max<std::int64_t>(share, 1));
    offsets.push_back(offsets.back() + keep);
    for (const std::int64_t flat : reference(drawn, layout.begin(s), layout.end(s), keep)) {
      expected.push_back(flat % layout.length());
    }
  }
  for (std::int64_t i = 0; i < layout.tokens(); ++i) {
    scores[i + i / layout.length() * gap] = drawn[i];
  }

  const DeviceArray<Acc> device_scores(scores);
  DeviceArray<std::int64_t> indices(offsets.back());
  DeviceArray<std::int32_t> kept_cu_seqlens(layout.count() + 1);
  const SelectTokensParams<Acc> params{
      .sequences = layout.on_device(),
      .scores = device_scores.data(),
      .batch_stride = layout.length() + gap,
      .keep_offsets = offsets.data(),
      .indices = indices.data(),
  };
  if constexpr (std::is_same_v<Acc, float>) {
    // Clusters hold more keys than a block.
    const std::int64_t most = device_capability() >= 90 ? 131072 : 32768;
    EXPECT_EQ(fast_path_takes(params), layout.length() - 1 <= most);
  }
  for_each_path([&] {
    indices.poison();
    kept_cu_seqlens.poison();
    require(select_tokens_cuda(params, kept_cu_seqlens.data(), nullptr));
    EXPECT_EQ(indices.download(), expected);
    EXPECT_EQ(kept_cu_seqlens.download(),
              std::vector<std::int32_t>(offsets.begin(), offsets.end()));
    indices.poison();
    require(select_tokens_cuda(params, nullptr, nullptr));
    EXPECT_EQ(indices.download(), expected) << "a second run differs";
  });
}

class SelectTokensCudaTable : public testing::TestWithParam<Case> {};

TEST_P(SelectTokensCudaTable, EqualsSorting) {
  {
    SCOPED_TRACE("float32");
    check<float>(GetParam());
  }
  SCOPED_TRACE("float64");
  check<double>(GetParam());
}

INSTANTIATE_TEST_SUITE_P(, SelectTokensCudaTable, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

// The device alone knows packed lengths: what is asked beyond one stays inside the row.
TEST(SelectTokensCuda, KeepAboveLengthRepeatsTheLastPosition) {
  const Layout layout = Layout::packed({2, 3});
  const DeviceArray<float> scores(std::vector<float>{5, 1, 3, 2, 1});
  const std::vector<std::int64_t> offsets = {0, 4, 6};
  DeviceArray<std::int64_t> indices(6);
  const SelectTokensParams<float> params{.sequences = layout.on_device(),
                                         .scores = scores.data(),
                                         .batch_stride = 5,
                                         .keep_offsets = offsets.data(),
                                         .indices = indices.data()};
  for_each_path([&] {
    indices.poison();
    require(select_tokens_cuda(params, nullptr, nullptr));
    EXPECT_EQ(indices.download(), (std::vector<std::int64_t>{0, 1, 1, 1, 2, 4}));
  });
}

// More is asked of an empty sequence at the end of the row, too.
TEST(SelectTokensCuda, KeepOfAnEmptySequenceStaysInTheRow) {
  const Layout layout = Layout::packed({3, 0});
  const DeviceArray<float> scores(std::vector<float>{5, 1, 3});
  const std::vector<std::int64_t> offsets = {0, 1, 3};
  DeviceArray<std::int64_t> indices(3);
  const SelectTokensParams<float> params{.sequences = layout.on_device(),
                                         .scores = scores.data(),
                                         .batch_stride = 3,
                                         .keep_offsets = offsets.data(),
                                         .indices = indices.data()};
  for_each_path([&] {
    indices.poison();
    require(select_tokens_cuda(params, nullptr, nullptr));
    EXPECT_EQ(indices.download(), (std::vector<std::int64_t>{2, 2, 2}));
  });
}

TEST(SelectTokensCuda, RefusesKeepThatCannotBe) {
  SelectTokensParams<float> params{.sequences = {.count = 1, .length = 4}};
  for (const std::vector<std::int64_t>& offsets :
       {std::vector<std::int64_t>{0, 5}, std::vector<std::int64_t>{0, -1}}) {
    params.keep_offsets = offsets.data();
    EXPECT_EQ(select_tokens_cuda(params, nullptr, nullptr), cudaErrorInvalidValue);
  }
}

}  // namespace
}  // namespace simba::kernels
