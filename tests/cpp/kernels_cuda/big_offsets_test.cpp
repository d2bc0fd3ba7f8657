// Offsets beyond 2^31 elements: each operator on two rows that lie 2^31 + 8 elements apart, as rows
// of one batch row and as batch rows, gives the bits that it gives on compact tensors. Needs 9 GB
// of device memory.
#include <gtest/gtest.h>

#include "kernels/add_norm/add_norm_cuda.h"
#include "kernels/causal_conv1d/causal_conv1d_cuda.h"
#include "kernels/gate/gate_cuda.h"
#include "kernels/influence_scores/influence_scores_cuda.h"
#include "kernels/select_tokens/select_tokens_cuda.h"
#include "kernels/selective_scan/selective_scan_cuda.h"
#include "kernels/selective_state_update/selective_state_update_cuda.h"
#include "tests/cpp/kernels_cuda/device_memory.h"

namespace simba::kernels {
namespace {

constexpr std::int64_t kChannels = 24;
constexpr std::int64_t kStates = 5;

// Where the two rows of every tensor lie.
struct Placement {
  bool batch;           // two batch rows of one position, or two positions of one batch row
  std::int64_t stride;  // between them
};

// Tensors of two rows side by side in one piece of memory.
template <typename T>
class Arena {
 public:
  explicit Arena(Placement placement)
      : placement_(placement), memory_(placement.stride + kColumns) {}

  Rows<T> take(std::int64_t channels) {
    const Rows<T> rows{.data = memory_.data() + used_,
                       .batch_stride = placement_.stride,
                       .row_stride = placement_.batch ? channels : placement_.stride};
    used_ += channels;
    EXPECT_LE(used_, kColumns);
    return rows;
  }
  Rows<T> take_filled(std::int64_t channels, Random& random) {
    const Rows<T> rows = take(channels);
    for (int row = 0; row < 2; ++row) {
      const std::vector<T> values = store_all<T>(random.normal(channels));
      require(cudaMemcpy(rows.data + row * placement_.stride, values.data(), channels * sizeof(T),
                         cudaMemcpyHostToDevice));
    }
    return rows;
  }
  Rows<const T> filled(std::int64_t channels, Random& random) {
    const Rows<T> rows = take_filled(channels, random);
    return {.data = rows.data, .batch_stride = rows.batch_stride, .row_stride = rows.row_stride};
  }
  std::vector<double> download(const Rows<T>& rows, std::int64_t channels) const {
    std::vector<T> values(2 * channels);
    for (int row = 0; row < 2; ++row) {
      require(cudaMemcpy(values.data() + row * channels, rows.data + row * placement_.stride,
                         channels * sizeof(T), cudaMemcpyDeviceToHost));
    }
    return load_all(values);
  }

 private:
  static constexpr std::int64_t kColumns = 512;
  Placement placement_;
  DeviceArray<T> memory_;
  std::int64_t used_ = 0;
};

// Runs `run` on compact and on far placements and compares.
template <typename Run>
void expect_same_far(const Run& run) {
  for (const bool batch : {false, true}) {
    SCOPED_TRACE(batch ? "batch stride" : "row stride");
    const std::vector<double> compact = run(Placement{batch, 600});
    EXPECT_EQ(run(Placement{batch, (std::int64_t{1} << 31) + 8}), compact);
    for (const double value : compact) EXPECT_FALSE(std::isnan(value));
  }
}

Sequences two_tokens(const Placement& placement) {
  return {
      .count = placement.batch ? 2 : 1, .length = placement.batch ? 1 : 2, .cu_seqlens = nullptr};
}

DeviceArray<float> parameters(std::int64_t count) {
  return DeviceArray<float>(store_all<float>(Random(7).decay(count)));
}

TEST(BigOffsetsCuda, SelectiveScan) {
  expect_same_far([](Placement placement) {
    Random random(1);
    Arena<BFloat16> arena(placement);
    const DeviceArray<float> A = parameters(kChannels * kStates);
    const DeviceArray<float> last_state(2 * kChannels * kStates);
    const Rows<BFloat16> out = arena.take(kChannels);
    require(
        selective_scan_cuda(SelectiveScanParams<BFloat16>{.sequences = two_tokens(placement),
                                                          .channels = kChannels,
                                                          .states = kStates,
                                                          .u = arena.filled(kChannels, random),
                                                          .delta = arena.filled(kChannels, random),
                                                          .z = arena.filled(kChannels, random),
                                                          .B = arena.filled(kStates, random),
                                                          .C = arena.filled(kStates, random),
                                                          .out = out,
                                                          .A = A.data(),
                                                          .last_state = last_state.data(),
                                                          .delta_softplus = true},
                            nullptr));
    return arena.download(out, kChannels);
  });
}

TEST(BigOffsetsCuda, InfluenceScores) {
  expect_same_far([](Placement placement) {
    Random random(1);
    Arena<BFloat16> arena(placement);
    const DeviceArray<float> A = parameters(kChannels * kStates);
    const DeviceArray<float> scores(2), partial(2);
    require(influence_scores_cuda(
        InfluenceScoresParams<BFloat16>{.sequences = two_tokens(placement),
                                        .batch = placement.batch ? 2 : 1,
                                        .channels = kChannels,
                                        .states = kStates,
                                        .u = arena.filled(kChannels, random),
                                        .delta = arena.filled(kChannels, random),
                                        .B = arena.filled(kStates, random),
                                        .C = arena.filled(kStates, random),
                                        .A = A.data(),
                                        .scores = scores.data(),
                                        .partial = partial.data()},
        nullptr));
    return load_all(scores.download());
  });
}

TEST(BigOffsetsCuda, SelectTokens) {
  const auto run = [](std::int64_t stride) {
    const DeviceArray<float> scores(stride + 8);
    const std::vector<float> rows[2] = {{3, 1, 2, 0}, {0, 5, -1, 4}};
    for (int row = 0; row < 2; ++row) {
      require(cudaMemcpy(scores.data() + row * stride, rows[row].data(), 4 * sizeof(float),
                         cudaMemcpyHostToDevice));
    }
    const DeviceArray<std::int64_t> indices(4);
    const std::int64_t offsets[] = {0, 2, 4};
    require(select_tokens_cuda(SelectTokensParams<float>{.sequences = {.count = 2, .length = 4},
                                                         .scores = scores.data(),
                                                         .batch_stride = stride,
                                                         .keep_offsets = offsets,
                                                         .indices = indices.data()},
                               nullptr, nullptr));
    return indices.download();
  };
  EXPECT_EQ(run((std::int64_t{1} << 31) + 8), (std::vector<std::int64_t>{0, 3, 1, 3}));
}

TEST(BigOffsetsCuda, CausalConv1d) {
  expect_same_far([](Placement placement) {
    Random random(1);
    Arena<BFloat16> arena(placement);
    const DeviceArray<float> weight = parameters(kChannels * 3);
    const DeviceArray<BFloat16> last_state(2 * kChannels * 2);
    const Rows<BFloat16> out = arena.take(kChannels);
    require(causal_conv1d_cuda(CausalConv1dParams<BFloat16>{.sequences = two_tokens(placement),
                                                            .channels = kChannels,
                                                            .width = 3,
                                                            .x = arena.filled(kChannels, random),
                                                            .out = out,
                                                            .weight = weight.data(),
                                                            .last_state = last_state.data(),
                                                            .silu = true},
                               nullptr));
    std::vector<double> result = arena.download(out, kChannels);
    for (const double value : load_all(last_state.download())) {
      if (!std::isnan(value)) result.push_back(value);  // one sequence leaves half of it unused
    }
    return result;
  });
}

TEST(BigOffsetsCuda, AddNorm) {
  expect_same_far([](Placement placement) {
    Random random(1);
    Arena<BFloat16> arena(placement);
    const DeviceArray<float> weight = parameters(kChannels);
    const Rows<BFloat16> normed = arena.take(kChannels), new_residual = arena.take(kChannels);
    require(
        add_norm_cuda(AddNormParams<BFloat16, BFloat16>{.batch = placement.batch ? 2 : 1,
                                                        .rows = placement.batch ? 1 : 2,
                                                        .channels = kChannels,
                                                        .x = arena.filled(kChannels, random),
                                                        .residual = arena.filled(kChannels, random),
                                                        .weight = weight.data(),
                                                        .normed = normed,
                                                        .new_residual = new_residual,
                                                        .eps = 1e-5},
                      nullptr));
    std::vector<double> result = arena.download(normed, kChannels);
    for (const double value : arena.download(new_residual, kChannels)) result.push_back(value);
    return result;
  });
}

TEST(BigOffsetsCuda, Gate) {
  expect_same_far([](Placement placement) {
    Random random(1);
    Arena<BFloat16> arena(placement);
    const Rows<BFloat16> out = arena.take(kChannels);
    require(gate_cuda(GateParams<BFloat16>{.batch = placement.batch ? 2 : 1,
                                           .rows = placement.batch ? 1 : 2,
                                           .channels = kChannels,
                                           .y = arena.filled(kChannels, random),
                                           .z = arena.filled(kChannels, random),
                                           .out = out},
                      nullptr));
    return arena.download(out, kChannels);
  });
}

TEST(BigOffsetsCuda, SelectiveStateUpdate) {
  const auto run = [](std::int64_t stride) {
    const Placement placement{true, stride};
    Random random(1);
    Arena<float> arena(placement);
    const DeviceArray<float> A = parameters(kChannels * kStates);
    const Rows<float> state = arena.take_filled(kChannels * kStates, random);
    const Rows<float> out = arena.take(kChannels);
    require(selective_state_update_cuda(
        SelectiveStateUpdateParams<float>{.sequences = 2,
                                          .channels = kChannels,
                                          .states = kStates,
                                          .state = state.data,
                                          .state_sequence_stride = stride,
                                          .state_channel_stride = kStates,
                                          .u = arena.filled(kChannels, random),
                                          .delta = arena.filled(kChannels, random),
                                          .z = arena.filled(kChannels, random),
                                          .B = arena.filled(kStates, random),
                                          .C = arena.filled(kStates, random),
                                          .out = out,
                                          .A = A.data(),
                                          .delta_softplus = true},
        nullptr));
    std::vector<double> result = arena.download(out, kChannels);
    for (const double value : arena.download(state, kChannels * kStates)) result.push_back(value);
    return result;
  };
  EXPECT_EQ(run((std::int64_t{1} << 31) + 8), run(600));
}

}  // namespace
}  // namespace simba::kernels
