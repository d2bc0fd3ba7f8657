// One layer's scan and its influence scores on one thread, per CPU target: mamba-130m's and
// mamba-2.8b's shapes (D = 1536 and 5120, N = 16) and a smaller one over 2048 tokens. Times are of
// the thread alone.
#include <benchmark/benchmark.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "kernels/cpu_target.h"
#include "kernels/influence_scores/influence_scores.h"
#include "kernels/selective_scan/selective_scan.h"

namespace simba::kernels {
namespace {

constexpr std::int64_t kLength = 2048, kStates = 16;

struct Layer {
  explicit Layer(std::int64_t d) : channels(d) {
    std::mt19937 engine(1);
    std::normal_distribution<float> normal;
    const auto random = [&](std::int64_t count, float mean, float deviation) {
      std::vector<float> values(count);
      for (float& value : values) value = mean + deviation * normal(engine);
      return values;
    };
    // Mean delta without and with bias as in a trained model: about 1 and 0.03.
    u = random(kLength * d, 0, 1), z = random(kLength * d, 0, 1);
    delta = random(kLength * d, 0.2f, 0.7f), bias = random(d, -4, 0.5f);
    B = random(kLength * kStates, 0, 1), C = random(kLength * kStates, 0, 1);
    A.resize(d * kStates);
    for (std::int64_t i = 0; i < d * kStates; ++i) {
      A[i] = -static_cast<float>(1 + i % kStates) * std::exp(0.2f * normal(engine));
    }
    D.assign(d, 1), out.resize(kLength * d), last.resize(d * kStates), scores.resize(kLength);
  }

  SelectiveScanParams<float> scan() {
    SelectiveScanParams<float> p;
    p.sequences = {1, kLength, nullptr};
    p.channels = channels, p.states = kStates;
    p.u = rows(u, channels), p.delta = rows(delta, channels), p.z = rows(z, channels);
    p.B = rows(B, kStates), p.C = rows(C, kStates);
    p.out = {out.data(), kLength * channels, channels};
    p.A = A.data(), p.D = D.data(), p.delta_bias = bias.data(), p.last_state = last.data();
    p.delta_softplus = true;
    return p;
  }

  InfluenceScoresParams<float> influence(InfluenceDecay decay, InfluenceReduction reduction) {
    InfluenceScoresParams<float> p;
    p.sequences = {1, kLength, nullptr};
    p.batch = 1, p.channels = channels, p.states = kStates;
    p.u = rows(u, channels), p.delta = rows(delta, channels);
    p.B = rows(B, kStates), p.C = rows(C, kStates);
    p.A = A.data(), p.delta_bias = bias.data();
    p.decay = decay, p.reduction = reduction;
    p.scores = scores.data();
    scratch.resize(influence_scores_scratch(p));
    p.partial = scratch.data();
    return p;
  }

  static Rows<const float> rows(const std::vector<float>& values, std::int64_t width) {
    return {values.data(), kLength * width, width};
  }

  std::int64_t channels;
  std::vector<float> u, delta, z, B, C, A, D, bias, out, last, scores, scratch;
};

void report(benchmark::State& state, std::int64_t channels) {
  state.SetItemsProcessed(state.iterations() * kLength * channels * kStates);
}

void scan(benchmark::State& state, CpuTarget target) {
  force_cpu_target(target);
  Layer layer(state.range(0));
  const SelectiveScanParams<float> params = layer.scan();
  for (auto _ : state) selective_scan_cpu(params, 0, selective_scan_work_items(params));
  report(state, layer.channels);
}

void influence(benchmark::State& state, CpuTarget target, InfluenceDecay decay,
               InfluenceReduction reduction) {
  force_cpu_target(target);
  Layer layer(state.range(0));
  const InfluenceScoresParams<float> params = layer.influence(decay, reduction);
  for (auto _ : state) {
    influence_scores_cpu(params, 0, influence_scores_work_items(params));
    influence_scores_reduce_cpu(params, 0, kLength);
  }
  report(state, layer.channels);
}

template <typename... Arguments>
void add(const std::string& name, Arguments... arguments) {
  benchmark::RegisterBenchmark(name.c_str(), arguments...)
      ->Arg(768)
      ->Arg(1536)
      ->Arg(5120)
      ->Unit(benchmark::kMillisecond);
}

}  // namespace
}  // namespace simba::kernels

int main(int argc, char** argv) {
  using namespace simba::kernels;
  const struct {
    std::string name;
    CpuTarget target;
  } kTargets[] = {{"avx512", CpuTarget::kAvx512},
                  {"avx2", CpuTarget::kAvx2},
                  {"baseline", CpuTarget::kBaseline}};
  for (const auto& [name, target] : kTargets) {
    if (!cpu_target_supported(target)) continue;
    add(name + "/scan", scan, target);
    add(name + "/influence_no_bias_max", influence, target, InfluenceDecay::kNoBias,
        InfluenceReduction::kMax);
    add(name + "/influence_full_max", influence, target, InfluenceDecay::kFull,
        InfluenceReduction::kMax);
    add(name + "/influence_no_bias_l2", influence, target, InfluenceDecay::kNoBias,
        InfluenceReduction::kL2);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
