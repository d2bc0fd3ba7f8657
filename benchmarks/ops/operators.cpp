// Every operator through the dispatcher on the CPU, at one layer's shapes of mamba-130m (d_model
// 768) over some tokens: what torch's users pay, threads and allocation included. Wall times.
// Bytes per second count each input and output once. On a GPU: python -m benchmarks.compare.
#include "csrc/model/operators.h"

#include <ATen/Functions.h>
#include <benchmark/benchmark.h>

#include <functional>
#include <string>

#include "csrc/model/packed_layout.h"

namespace simba {
namespace {

constexpr std::int64_t kModel = 768, kChannels = 2 * kModel, kStates = 16, kWidth = 4;

// Strided as in the model: x and z are halves of in_proj's output. Delta is about 0.1 after its
// bias and softplus, A about -(1 .. 16).
struct Layer {
  Layer(std::int64_t length, at::ScalarType dtype) {
    const auto data = at::TensorOptions(dtype);
    const at::Tensor xz = at::randn({1, length, 2 * kChannels}, data);
    x = xz.narrow(2, 0, kChannels), z = xz.narrow(2, kChannels, kChannels);
    u = at::randn({1, length, kChannels}, data), delta = at::randn({1, length, kChannels}, data);
    B = at::randn({1, length, kStates}, data), C = at::randn({1, length, kStates}, data);
    A = at::arange(1, kStates + 1, at::kFloat).neg().expand({kChannels, kStates}).contiguous();
    D = at::randn({kChannels}), delta_bias = at::randn({kChannels}).mul(0.5).sub(2.5);
    hidden = at::randn({1, length, kModel}, data), residual = at::randn({1, length, kModel});
    norm_weight = at::randn({kModel}, data), conv_weight = at::randn({kChannels, kWidth}, data);
    conv_bias = at::randn({kChannels}, data), scores = at::randn({1, length});
    state = at::randn({1, kChannels, kStates});
    cu_seqlens = make_cu_seqlens({length}, at::kCPU);
  }

  at::Tensor x, z, u, delta, A, B, C, D, delta_bias, hidden, residual, norm_weight, conv_weight,
      conv_bias, scores, state, cu_seqlens;
};

std::int64_t bytes(std::initializer_list<at::Tensor> tensors) {
  std::int64_t sum = 0;
  for (const at::Tensor& tensor : tensors) sum += static_cast<std::int64_t>(tensor.nbytes());
  return sum;
}

// What one call computes, and the bytes that it moves at least.
struct Call {
  std::function<void(Layer&)> run;
  std::function<std::int64_t(const Layer&)> bytes;
};

void measure(benchmark::State& bench, at::ScalarType dtype, const Call& call) {
  Layer layer(bench.range(0), dtype);
  for (auto _ : bench) call.run(layer);
  bench.SetBytesProcessed(bench.iterations() * call.bytes(layer));
}

void add(const std::string& name, const Call& call) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    benchmark::RegisterBenchmark((name + "/" + at::toString(dtype)).c_str(), measure, dtype, call)
        ->ArgName("L")
        ->Arg(256)
        ->Arg(2048)
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
  }
}

void add_all() {
  add("selective_scan", {[](Layer& l) {
                           ops::selective_scan(l.u, l.delta, l.A, l.B, l.C, l.D, l.z, l.delta_bias,
                                               {}, {}, true);
                         },
                         [](const Layer& l) {
                           return bytes({l.u, l.delta, l.z, l.B, l.C, l.u});
                         }});
  for (const std::string reduction : {"max", "l2"}) {
    add("influence_scores/no_bias/" + reduction, {[reduction](Layer& l) {
                                                    ops::influence_scores(l.u, l.delta, l.A, l.B,
                                                                          l.C, l.delta_bias, {},
                                                                          "no_bias", reduction);
                                                  },
                                                  [](const Layer& l) {
                                                    return bytes({l.u, l.delta, l.B, l.scores});
                                                  }});
  }
  add("causal_conv1d",
      {[](Layer& l) { ops::causal_conv1d(l.x, l.conv_weight, l.conv_bias, {}, {}, true); },
       [](const Layer& l) {
         return bytes({l.x, l.x});
       }});
  add("add_norm",
      {[](Layer& l) { ops::add_norm(l.hidden, l.residual, l.norm_weight, {}, {}, 1e-5, true); },
       [](const Layer& l) {
         return bytes({l.hidden, l.residual, l.hidden, l.residual});
       }});
  add("gate", {[](Layer& l) { ops::gate(l.u, l.z, {}); },
               [](const Layer& l) {
                 return bytes({l.u, l.z, l.u});
               }});
  add("select_tokens",
      {[](Layer& l) { ops::select_tokens_packed(l.scores, {l.scores.size(1) / 10}, l.cu_seqlens); },
       [](const Layer& l) { return bytes({l.scores}); }});
  add("selective_state_update",
      {[](Layer& l) {
         const auto last = [](const at::Tensor& tensor) { return tensor.select(1, 0); };
         ops::selective_state_update(l.state, last(l.u), last(l.delta), l.A, last(l.B), last(l.C),
                                     l.D, last(l.z), l.delta_bias, true);
       },
       [](const Layer& l) {
         return bytes({l.state, l.state, l.A});
       }});
}

}  // namespace
}  // namespace simba

int main(int argc, char** argv) {
  simba::add_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
