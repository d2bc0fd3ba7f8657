// The launchers inside a captured CUDA graph: scores and a packed selection, whose counts live in
// the graph.
#include <gtest/gtest.h>

#include "kernels/influence_scores/influence_scores_cuda.h"
#include "kernels/select_tokens/select_tokens_cuda.h"
#include "tests/cpp/kernels_cuda/layout.h"

namespace simba::kernels {
namespace {

TEST(GraphCuda, ReplayFollowsItsInputs) {
  const Layout layout = Layout::packed({100, 37});
  const std::int64_t D = 40, N = 16;
  Random random(1);
  DeviceArray<float> u(store_all<float>(random.normal(layout.tokens() * D)));
  const DeviceArray<float> delta(store_all<float>(random.normal(layout.tokens() * D, -4)));
  const DeviceArray<float> B(store_all<float>(random.normal(layout.tokens() * N)));
  const DeviceArray<float> C(store_all<float>(random.normal(layout.tokens() * N)));
  const DeviceArray<float> A(store_all<float>(random.decay(D * N)));
  DeviceArray<float> scores(layout.tokens());
  DeviceArray<std::int64_t> indices(30);
  DeviceArray<std::int32_t> kept_cu_seqlens(3);
  const auto rows = [&](const DeviceArray<float>& values, std::int64_t channels) {
    return Rows<const float>{
        .data = values.data(), .batch_stride = layout.length() * channels, .row_stride = channels};
  };
  InfluenceScoresParams<float> params{.sequences = layout.on_device(),
                                      .batch = 1,
                                      .channels = D,
                                      .states = N,
                                      .u = rows(u, D),
                                      .delta = rows(delta, D),
                                      .B = rows(B, N),
                                      .C = rows(C, N),
                                      .A = A.data(),
                                      .scores = scores.data()};
  const DeviceArray<float> partial(influence_scores_scratch_cuda(params));
  params.partial = partial.data();
  const auto launch = [&](cudaStream_t stream) {
    const std::vector<std::int64_t> offsets = {0, 20, 30};  // gone before the graph is replayed
    require(influence_scores_cuda(params, stream));
    require(select_tokens_cuda(SelectTokensParams<float>{.sequences = layout.on_device(),
                                                         .scores = scores.data(),
                                                         .batch_stride = layout.length(),
                                                         .keep_offsets = offsets.data(),
                                                         .indices = indices.data()},
                               kept_cu_seqlens.data(), stream));
  };

  cudaStream_t stream = nullptr;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t replayable = nullptr;
  require(cudaStreamCreate(&stream));
  require(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  launch(stream);
  require(cudaStreamEndCapture(stream, &graph));
  require(cudaGraphInstantiate(&replayable, graph, 0));

  std::vector<std::int64_t> before;
  for (int round = 0; round < 2; ++round) {
    const std::vector<float> inputs = store_all<float>(random.normal(u.size()));
    require(
        cudaMemcpy(u.data(), inputs.data(), inputs.size() * sizeof(float), cudaMemcpyHostToDevice));
    launch(nullptr);
    const std::vector<std::int64_t> expected = indices.download();
    EXPECT_NE(expected, before);
    before = expected;
    indices.poison();
    kept_cu_seqlens.poison();
    require(cudaDeviceSynchronize());
    require(cudaGraphLaunch(replayable, stream));
    require(cudaStreamSynchronize(stream));
    EXPECT_EQ(indices.download(), expected);
    EXPECT_EQ(kept_cu_seqlens.download(), (std::vector<std::int32_t>{0, 20, 30}));
  }
  cudaGraphExecDestroy(replayable);
  cudaGraphDestroy(graph);
  cudaStreamDestroy(stream);
}

}  // namespace
}  // namespace simba::kernels
