#include <gtest/gtest.h>

#include <optional>

#include "tests/cpp/kernels_cuda/paths.h"
#include "tests/cpp/kernels_cuda/scan_problem.h"

namespace simba::kernels {
namespace {

using namespace scan_problem;

template <typename T>
Outputs run_twice(const Case& c, const Layout& layout, const Inputs<T>& in) {
  using Acc = AccumulateType<T>;
  const auto rows = [&](std::int64_t channels, const std::vector<double>& values) {
    return DeviceRows<T>(layout.batch(), layout.length(), channels, c.spacing, values);
  };
  const DeviceRows<T> u = rows(c.channels, in.u), delta = rows(c.channels, in.delta);
  const DeviceRows<T> B = rows(c.states, in.B), C = rows(c.states, in.C);
  std::optional<DeviceRows<T>> z;
  if (c.z) z.emplace(layout.batch(), layout.length(), c.channels, c.spacing, in.z);
  const DeviceArray<Acc> A(store_all<Acc>(in.A)), D(store_all<Acc>(in.D));
  const DeviceArray<Acc> delta_bias(store_all<Acc>(in.delta_bias));
  const DeviceArray<Acc> initial_state(store_all<Acc>(in.initial_state));
  DeviceRows<T> out(layout.batch(), layout.length(), c.channels, c.spacing);
  DeviceArray<Acc> last_state(layout.count() * c.channels * c.states);
  const SelectiveScanParams<T> params{
      .sequences = layout.on_device(),
      .channels = c.channels,
      .states = c.states,
      .u = u.const_rows(),
      .delta = delta.const_rows(),
      .z = z ? z->const_rows() : Rows<const T>{},
      .B = B.const_rows(),
      .C = C.const_rows(),
      .out = out.rows(),
      .A = A.data(),
      .D = D.data(),
      .delta_bias = delta_bias.data(),
      .initial_state = initial_state.data(),
      .last_state = last_state.data(),
      .delta_softplus = c.softplus,
  };
  require(selective_scan_cuda(params, nullptr));
  Outputs result{out.values(), load_all(last_state.download())};
  const std::vector<T> first_out = out.bits();
  const std::vector<Acc> first_state = last_state.download();
  out.poison();
  last_state.poison();
  require(selective_scan_cuda(params, nullptr));
  EXPECT_TRUE(same_bits(out.bits(), first_out)) << "a second run differs";
  EXPECT_TRUE(same_bits(last_state.download(), first_state)) << "a second run differs";
  return result;
}

// Tiles of 64 steps: none, one short, whole, one more.
Layout around_tiles_of_64() { return Layout::packed({0, 1, 63, 64, 65, 128, 200}); }

Layout many_sequences() {
  return Layout::packed({70, 5, 17, 16, 15, 0, 64, 1, 33, 48, 31, 32, 2, 18, 80, 7});
}

const std::vector<Case>& cases() {
  static const std::vector<Case> table = {
      {.name = "base"},
      {.name = "one_step", .layout = [] { return Layout::batch_of(2, 1); }},
      {.name = "two_steps", .layout = [] { return Layout::batch_of(1, 2); }},
      {.name = "tile_less_one", .layout = [] { return Layout::batch_of(1, 31); }},
      {.name = "one_tile", .layout = [] { return Layout::batch_of(1, 32); }},
      {.name = "tile_and_one", .layout = [] { return Layout::batch_of(1, 33); }},
      {.name = "length_129", .layout = [] { return Layout::batch_of(3, 129); }},
      {.name = "length_1000", .layout = [] { return Layout::batch_of(1, 1000); }},
      {.name = "no_steps", .layout = [] { return Layout::batch_of(2, 0); }},
      {.name = "no_batch", .layout = [] { return Layout::batch_of(0, 5); }},
      {.name = "packed",
       .layout =
           [] {
             return Layout::packed({7, 0, 64, 1, 33, 0});
           }},
      {.name = "packed_alone", .layout = [] { return Layout::packed({40}); }},
      {.name = "packed_empty",
       .layout =
           [] {
             return Layout::packed({0, 0});
           }},
      {.name = "one_channel", .channels = 1},
      {.name = "channels_31", .channels = 31},
      {.name = "channels_32", .channels = 32},
      {.name = "channels_257", .channels = 257},
      {.name = "no_channels", .channels = 0},
      {.name = "one_state", .states = 1},
      {.name = "states_5", .states = 5},
      {.name = "states_17", .states = 17},
      {.name = "states_8", .states = 8},
      {.name = "states_32", .states = 32},
      {.name = "states_64", .states = 64},
      // With 132 multiprocessors, one for each shape of the fast kernel.
      {.name = "blocks_of_40", .layout = [] { return Layout::batch_of(1, 70); }, .channels = 5120},
      {.name = "blocks_of_32", .layout = [] { return Layout::batch_of(1, 70); }, .channels = 4096},
      {.name = "blocks_of_16", .layout = [] { return Layout::batch_of(1, 201); }, .channels = 1536},
      // Rows that begin at any element.
      {.name = "odd_blocks_of_40",
       .layout = [] { return Layout::batch_of(1, 70); },
       .channels = 5119},
      {.name = "odd_blocks_of_32",
       .layout = [] { return Layout::batch_of(1, 70); },
       .channels = 4095},
      {.name = "odd_blocks_of_16",
       .layout = [] { return Layout::batch_of(1, 201); },
       .channels = 1535},
      {.name = "lone_packed", .layout = around_tiles_of_64, .channels = 640},
      {.name = "lone_packed_no_z", .layout = around_tiles_of_64, .channels = 640, .z = false},
      // Of 16 channels of 40.
      {.name = "lone_last_block",
       .layout = [] { return Layout::batch_of(1, 130); },
       .channels = 5096},
      {.name = "lone_last_block_no_z",
       .layout = [] { return Layout::batch_of(1, 130); },
       .channels = 5096,
       .z = false},
      {.name = "blocks_of_32_no_z",
       .layout = [] { return Layout::batch_of(1, 70); },
       .channels = 4096,
       .z = false},
      {.name = "blocks_of_8", .layout = [] { return Layout::batch_of(1, 201); }, .channels = 768},
      {.name = "blocks_of_8_no_z",
       .layout = [] { return Layout::batch_of(1, 201); },
       .channels = 768,
       .z = false},
      {.name = "states_8_blocks_of_40",
       .layout = [] { return Layout::batch_of(1, 70); },
       .channels = 5120,
       .states = 8},
      {.name = "states_32_blocks_of_40",
       .layout = [] { return Layout::batch_of(1, 70); },
       .channels = 5120,
       .states = 32},
      {.name = "states_32_blocks_of_32",
       .layout = [] { return Layout::batch_of(1, 70); },
       .channels = 4096,
       .states = 32},
      {.name = "states_64_blocks_of_16",
       .layout = [] { return Layout::batch_of(1, 70); },
       .channels = 1536,
       .states = 64},
      {.name = "many_blocks", .layout = [] { return Layout::batch_of(3, 70); }, .channels = 4096},
      {.name = "many_blocks_no_z",
       .layout = [] { return Layout::batch_of(3, 70); },
       .channels = 4096,
       .z = false},
      {.name = "odd_many_blocks",
       .layout =
           [] {
             return Layout::packed({70, 5, 33, 32, 31, 0, 64});
           },
       .channels = 2500},
      {.name = "many_pairs", .layout = many_sequences, .channels = 5112},
      {.name = "many_pairs_no_z", .layout = many_sequences, .channels = 5112, .z = false},
      {.name = "many_pairs_without",
       .layout = [] { return Layout::batch_of(16, 37); },
       .channels = 5112,
       .D = false,
       .delta_bias = false,
       .initial_state = false},
      {.name = "no_states", .states = 0},
      {.name = "unaligned", .spacing = {.offset = 1, .row_gap = 3}},
      {.name = "unaligned_every_second_row", .channels = 41, .spacing = {.row_gap = 2}},
      {.name = "unaligned_channels_777",
       .layout = [] { return Layout::batch_of(2, 201); },
       .channels = 777},
      {.name = "unaligned_no_z_no_softplus",
       .channels = 1001,
       .spacing = {.offset = 3, .row_gap = 5},
       .z = false,
       .softplus = false},
      {.name = "unaligned_states_8", .channels = 99, .states = 8, .spacing = {.row_gap = 1}},
      {.name = "unaligned_states_32", .channels = 99, .states = 32, .spacing = {.row_gap = 1}},
      {.name = "unaligned_states_64", .channels = 99, .states = 64, .spacing = {.row_gap = 1}},
      {.name = "no_D", .D = false},
      {.name = "no_z", .z = false},
      {.name = "no_delta_bias", .delta_bias = false},
      {.name = "no_softplus", .softplus = false},
      {.name = "no_initial_state", .initial_state = false},
      {.name = "tiny_delta", .delta_mean = -60, .delta_deviation = 30},
      {.name = "large_delta", .delta_mean = 40, .delta_deviation = 20},
  };
  return table;
}

class SelectiveScanCudaTable : public testing::TestWithParam<Case> {};

TEST_P(SelectiveScanCudaTable, EqualsDefinition) {
  const Case& c = GetParam();
  const Layout layout = c.layout();
  for_each_storage_type([&]<typename T>() {
    const Inputs<T> inputs(c, layout, 1);
    const Outputs expected = reference(c, layout, inputs);
    for_each_path([&] {
      const Outputs actual = run_twice(c, layout, inputs);
      expect_rounded<T>(actual.out, expected.out, 300);
      expect_norm_error_of_rounding<T>(actual.out, expected.out);
      expect_rounded<AccumulateType<T>>(actual.last_state, expected.last_state, 300);
    });
  });
}

INSTANTIATE_TEST_SUITE_P(, SelectiveScanCudaTable, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

// The state that one half leaves is what the other needs: bit for bit, since no sum crosses steps.
TEST(SelectiveScanCuda, SplitAnywhereEqualsWhole) {
  for_each_path([] {
    const Case c{.name = "whole"};
    const Layout whole = Layout::batch_of(1, 100);
    const Inputs<float> in(c, whole, 2);
    const Outputs expected = run_twice(c, whole, in);
    for (const std::int64_t split : {1, 31, 32, 50, 99}) {
      SCOPED_TRACE(split);
      Inputs<float> rest = in;
      std::vector<double> out;
      for (const auto& [begin, end] :
           {std::pair{std::int64_t{0}, split}, {split, std::int64_t{100}}}) {
        const auto cut = [&](const std::vector<double>& values, std::int64_t channels) {
          return std::vector<double>(values.begin() + begin * channels,
                                     values.begin() + end * channels);
        };
        rest.u = cut(in.u, c.channels);
        rest.delta = cut(in.delta, c.channels);
        rest.z = cut(in.z, c.channels);
        rest.B = cut(in.B, c.states);
        rest.C = cut(in.C, c.states);
        const Outputs part = run_twice(c, Layout::batch_of(1, end - begin), rest);
        out.insert(out.end(), part.out.begin(), part.out.end());
        rest.initial_state = part.last_state;
      }
      EXPECT_EQ(out, expected.out);
      EXPECT_EQ(rest.initial_state, expected.last_state);
    }
  });
}

// A sequence's numbers do not depend on what else is in the batch.
TEST(SelectiveScanCuda, PackedEqualsSingle) {
  for_each_path([] {
    const Case c{.name = "packed", .initial_state = false};
    const std::vector<std::int32_t> lengths = {45, 3, 70};
    const Layout packed = Layout::packed(lengths);
    const Inputs<float> in(c, packed, 3);
    const Outputs expected = run_twice(c, packed, in);
    for (std::int64_t s = 0; s < packed.count(); ++s) {
      SCOPED_TRACE(s);
      const auto cut = [&](const std::vector<double>& values, std::int64_t channels) {
        return std::vector<double>(values.begin() + packed.begin(s) * channels,
                                   values.begin() + packed.end(s) * channels);
      };
      Inputs<float> alone = in;
      alone.u = cut(in.u, c.channels);
      alone.delta = cut(in.delta, c.channels);
      alone.z = cut(in.z, c.channels);
      alone.B = cut(in.B, c.states);
      alone.C = cut(in.C, c.states);
      const Outputs part = run_twice(c, Layout::batch_of(1, lengths[s]), alone);
      EXPECT_EQ(part.out, cut(expected.out, c.channels));
    }
  });
}

TEST(SelectiveScanCuda, NanStaysInItsChannelAndAfterItsStep) {
  for_each_path([] {
    const Case c{.name = "nan", .delta_bias = false};
    const Layout layout = Layout::batch_of(1, 70);
    Inputs<float> in(c, layout, 4);
    in.u[40 * c.channels + 5] = std::nan("");
    in.delta[50 * c.channels + 6] = std::nan("");
    const Outputs actual = run_twice(c, layout, in);
    expect_close(actual.out, reference(c, layout, in).out, 1e-5, 1e-5);
  });
}

TEST(SelectiveScanCuda, RefusesNegativeSizes) {
  SelectiveScanParams<float> params;
  params.channels = -1;
  EXPECT_EQ(selective_scan_cuda(params, nullptr), cudaErrorInvalidValue);
}

}  // namespace
}  // namespace simba::kernels
