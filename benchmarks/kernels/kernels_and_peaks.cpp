// Each CPU kernel beside what the machine can do, on one thread and per CPU target:
//
//   benchmark_kernels_and_peaks [CHANNELS=1536] [REPEATS=30]
//
// One layer over 2048 tokens, N = 16, K = 4. The floors: for the scan its 16 exponentials and 48
// multiply-adds per step and channel at the measured peaks; for the others the bytes that must move
// at the speed of a copy of as many.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <limits>
#include <random>
#include <vector>

#include "benchmarks/kernels/machine_peaks.h"
#include "kernels/add_norm/add_norm.h"
#include "kernels/causal_conv1d/causal_conv1d.h"
#include "kernels/gate/gate.h"
#include "kernels/influence_scores/influence_scores.h"
#include "kernels/selective_scan/selective_scan.h"

namespace simba::kernels::benchmarks {
namespace {

constexpr std::int64_t kTokens = 2048, kStates = 16, kWidth = 4;

volatile float sink;  // keeps the compiler from leaving a peak out

// Seconds of processor time of run(begin, end) over [0, items), in pieces of which the shortest of
// all repeats counts: other programs only ever lengthen one, and rarely spare a long one.
template <typename Run>
double shortest(int repeats, std::int64_t items, const Run& run) {
  constexpr std::int64_t kPieces = 24;
  const std::int64_t piece = (items + kPieces - 1) / kPieces;
  double sum = 0;
  for (std::int64_t begin = 0; begin < items; begin += piece) {
    std::clock_t best = std::numeric_limits<std::clock_t>::max();
    for (int i = 0; i < repeats; ++i) {
      const std::clock_t start = std::clock();
      run(begin, std::min(begin + piece, items));
      best = std::min(best, std::clock() - start);
    }
    sum += static_cast<double>(best);
  }
  return sum / CLOCKS_PER_SEC;
}

// Seconds per float.
struct Peaks {
  double fma, exp2;
};

template <CpuTarget target>
Peaks measure_peaks() {
  constexpr std::int64_t kRounds = 20000;
  const double count = kRounds * kPeakVectors * static_cast<double>(vector_lanes<target>());
  return {shortest(50, 1, [](auto...) { sink = fma_peak<target>(kRounds); }) / count,
          shortest(50, 1, [](auto...) { sink = exp2_peak<target>(kRounds); }) / count};
}

double seconds_per_byte(int repeats, std::int64_t bytes) {
  std::vector<char> from(bytes / 2, 1), to(bytes / 2);
  const double seconds = shortest(repeats, bytes / 2, [&](std::int64_t begin, std::int64_t end) {
    std::memcpy(to.data() + begin, from.data() + begin, end - begin);
  });
  return seconds / static_cast<double>(bytes);
}

template <typename T>
T narrow(float x);
template <>
float narrow(float x) {
  return x;
}
template <>
BFloat16 narrow(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return {static_cast<std::uint16_t>(bits >> 16)};
}

template <typename T>
class Layer {
 public:
  explicit Layer(std::int64_t channels) : D(channels) {
    // Mean dt without and with bias as in a trained model: about 1 and 0.03.
    u = random<T>(kTokens * D, 0, 1), z = random<T>(kTokens * D, 0, 1);
    delta = random<T>(kTokens * D, 0.2f, 0.7f), bias = random<float>(D, -4, 0.5f);
    B = random<T>(kTokens * kStates, 0, 1), C = random<T>(kTokens * kStates, 0, 1);
    A = random<float>(D * kStates, 0, 0.2f), weight = random<float>(D * kWidth, 0, 1);
    for (std::size_t i = 0; i < A.size(); ++i) {
      A[i] = -static_cast<float>(1 + i % kStates) * std::exp(A[i]);
    }
    out.resize(kTokens * D), last.resize(D * kStates), scores.resize(kTokens);
    last_inputs.resize(D * (kWidth - 1)), residual.resize(kTokens * D), sums.resize(kTokens * D);
  }

  double scan(int repeats) {
    SelectiveScanParams<T> p;
    p.sequences = sequence, p.channels = D, p.states = kStates;
    p.u = rows(u), p.delta = rows(delta), p.z = rows(z);
    p.B = rows(B, kStates), p.C = rows(C, kStates), p.out = {out.data(), kTokens * D, D};
    p.A = A.data(), p.D = bias.data(), p.delta_bias = bias.data(), p.last_state = last.data();
    p.delta_softplus = true;
    return shortest(
        repeats, selective_scan_work_items(p),
        [&](std::int64_t begin, std::int64_t end) { selective_scan_cpu(p, begin, end); });
  }

  double influence(int repeats) {
    InfluenceScoresParams<T> p;
    p.sequences = sequence, p.batch = 1, p.channels = D, p.states = kStates;
    p.u = rows(u), p.delta = rows(delta), p.B = rows(B, kStates), p.C = rows(C, kStates);
    p.A = A.data(), p.delta_bias = bias.data(), p.scores = scores.data();
    std::vector<float> scratch(influence_scores_scratch(p));
    p.partial = scratch.data();
    const double blocks =
        shortest(repeats, influence_scores_work_items(p),
                 [&](auto begin, auto end) { influence_scores_cpu(p, begin, end); });
    return blocks + shortest(repeats, kTokens, [&](auto begin, auto end) {
             influence_scores_reduce_cpu(p, begin, end);
           });
  }

  double conv(int repeats) {
    CausalConv1dParams<T> p;
    p.sequences = sequence, p.channels = D, p.width = kWidth, p.silu = true;
    p.x = rows(u), p.out = {out.data(), kTokens * D, D};
    p.weight = weight.data(), p.bias = bias.data(), p.last_state = last_inputs.data();
    return shortest(
        repeats, causal_conv1d_work_items(p),
        [&](std::int64_t begin, std::int64_t end) { causal_conv1d_cpu(p, begin, end); });
  }

  double norm(int repeats) {
    AddNormParams<T, float> p;
    p.batch = 1, p.rows = kTokens, p.channels = D, p.eps = 1e-5;
    p.x = rows(u), p.residual = {residual.data(), kTokens * D, D}, p.weight = weight.data();
    p.normed = {out.data(), kTokens * D, D}, p.new_residual = {sums.data(), kTokens * D, D};
    return shortest(repeats, kTokens,
                    [&](std::int64_t begin, std::int64_t end) { add_norm_cpu(p, begin, end); });
  }

  double gate(int repeats) {
    GateParams<T> p;
    p.batch = 1, p.rows = kTokens, p.channels = D;
    p.y = rows(u), p.z = rows(z), p.out = {out.data(), kTokens * D, D};
    return shortest(repeats, kTokens,
                    [&](std::int64_t begin, std::int64_t end) { gate_cpu(p, begin, end); });
  }

 private:
  template <typename U>
  std::vector<U> random(std::int64_t count, float mean, float deviation) {
    std::vector<U> values(count);
    for (U& value : values) value = narrow<U>(mean + deviation * normal_(engine_));
    return values;
  }

  Rows<const T> rows(const std::vector<T>& values, std::int64_t width = 0) const {
    width = width ? width : D;
    return {values.data(), kTokens * width, width};
  }

  std::mt19937 engine_{1};
  std::normal_distribution<float> normal_;
  const Sequences sequence{1, kTokens, nullptr};
  std::int64_t D;
  std::vector<T> u, z, delta, B, C, out, last_inputs;
  std::vector<float> A, bias, weight, last, scores, residual, sums;
};

void print_row(const char* name, double seconds, double floor, const char* bound, double elements) {
  std::printf("  %-22s %8.2f ms %7.3f ns/element  floor %7.2f ms (%s)  %5.2f of it\n", name,
              1e3 * seconds, 1e9 * seconds / elements, 1e3 * floor, bound, seconds / floor);
}

template <typename T>
void print_kernels(const char* type, const Peaks& peaks, std::int64_t channels, int repeats) {
  Layer<T> layer(channels);
  const double elements = static_cast<double>(kTokens * channels);
  const auto moved = [&](double bytes_each) {
    const double bytes = bytes_each * elements;
    return bytes * seconds_per_byte(repeats, static_cast<std::int64_t>(bytes));
  };
  const double size = sizeof(T);
  const double scan = layer.scan(repeats), influence = layer.influence(repeats);
  std::printf("%s\n", type);
  print_row("selective_scan", scan, elements * kStates * (peaks.exp2 + 3 * peaks.fma), "exp2, fma",
            elements);
  print_row("influence no_bias max", influence, moved(2 * size), "memory", elements);
  std::printf("    of the scan: %.1f %%\n", 100 * influence / scan);
  print_row("causal_conv1d, silu", layer.conv(repeats), moved(2 * size), "memory", elements);
  print_row("add_norm", layer.norm(repeats), moved(2 * size + 2 * sizeof(float)), "memory",
            elements);
  print_row("gate", layer.gate(repeats), moved(3 * size), "memory", elements);
}

template <CpuTarget target>
void print_target(const char* name, std::int64_t channels, int repeats) {
  if (!cpu_target_supported(target)) {
    std::printf("%s: not on this processor\n\n", name);
    return;
  }
  force_cpu_target(target);
  const Peaks peaks = measure_peaks<target>();
  std::printf("%s, (1, %ld, %ld), 1 thread: %.1f G multiply-adds/s, %.2f G exp2/s\n", name,
              static_cast<long>(kTokens), static_cast<long>(channels), 1e-9 / peaks.fma,
              1e-9 / peaks.exp2);
  print_kernels<float>("float32", peaks, channels, repeats);
  print_kernels<BFloat16>("bfloat16", peaks, channels, repeats);
  std::printf("\n");
}

}  // namespace
}  // namespace simba::kernels::benchmarks

int main(int argc, char** argv) {
  using namespace simba::kernels;
  const std::int64_t channels = argc > 1 ? std::atol(argv[1]) : 1536;
  const int repeats = argc > 2 ? std::atoi(argv[2]) : 30;
  if (channels <= 0 || repeats <= 0 || argc > 3) {
    std::fprintf(stderr, "usage: %s [CHANNELS] [REPEATS], both positive\n", argv[0]);
    return 2;
  }
#if defined(__x86_64__)
  benchmarks::print_target<CpuTarget::kAvx512>("avx512", channels, repeats);
  benchmarks::print_target<CpuTarget::kAvx2>("avx2", channels, repeats);
#endif
  benchmarks::print_target<CpuTarget::kBaseline>("baseline", channels, repeats);
}
