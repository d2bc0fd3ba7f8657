// Times of the selective scan and of the influence scores on this GPU: fast beside portable
// kernels, and the time that the scan's exponentials alone would take: 16 states and 3 more of
// softplus and gate per step and channel, 16 per cycle and multiprocessor.
#include <cstdio>
#include <string>
#include <vector>

#include "benchmarks/kernels_cuda/device_buffer.h"
#include "benchmarks/kernels_cuda/timing.h"
#include "kernels/cuda/path.h"
#include "kernels/influence_scores/influence_scores_cuda.h"
#include "kernels/selective_scan/selective_scan_cuda.h"

namespace simba::kernels {
namespace {

constexpr std::int64_t kStates = 16;

// Delta before softplus about -2.5 with its bias, as in trained models; A about -(1 .. 16).
class Inputs {
 public:
  Inputs(std::int64_t batch, std::int64_t length, std::int64_t channels)
      : batch_(batch), length_(length), channels_(channels) {
    const std::int64_t elements = batch * length * channels;
    u_ = random_values<BFloat16>(elements);
    delta_ = random_values<BFloat16>(elements);
    z_ = random_values<BFloat16>(elements);
    B_ = random_values<BFloat16>(batch * length * kStates);
    C_ = random_values<BFloat16>(batch * length * kStates);
    out_ = uninitialised<BFloat16>(elements);
    D_ = random_values<float>(channels);
    last_state_ = uninitialised<float>(batch * channels * kStates);
    scores_ = uninitialised<float>(batch * length);
    std::vector<float> A, bias;
    const std::vector<float>& normal = normal_values<float>();
    for (std::int64_t d = 0; d < channels; ++d) {
      bias.push_back(-2.5f + 0.5f * normal[static_cast<std::size_t>(d)]);
      for (std::int64_t n = 0; n < kStates; ++n) {
        const float noise = normal[static_cast<std::size_t>(d * kStates + n)];
        A.push_back(-static_cast<float>(n + 1) * (1 + 0.05f * noise));
      }
    }
    A_ = on_device(A);
    bias_ = on_device(bias);
  }

  SelectiveScanParams<BFloat16> scan() const {
    return {
        .sequences = {batch_, length_, nullptr},
        .channels = channels_,
        .states = kStates,
        .u = rows<const BFloat16>(u_.get(), channels_),
        .delta = rows<const BFloat16>(delta_.get(), channels_),
        .z = rows<const BFloat16>(z_.get(), channels_),
        .B = rows<const BFloat16>(B_.get(), kStates),
        .C = rows<const BFloat16>(C_.get(), kStates),
        .out = rows<BFloat16>(out_.get(), channels_),
        .A = A_.get(),
        .D = D_.get(),
        .delta_bias = bias_.get(),
        .last_state = last_state_.get(),
        .delta_softplus = true,
    };
  }

  InfluenceScoresParams<BFloat16> influence(InfluenceDecay decay,
                                            InfluenceReduction reduction) const {
    return {
        .sequences = {batch_, length_, nullptr},
        .batch = batch_,
        .channels = channels_,
        .states = kStates,
        .u = rows<const BFloat16>(u_.get(), channels_),
        .delta = rows<const BFloat16>(delta_.get(), channels_),
        .B = rows<const BFloat16>(B_.get(), kStates),
        .C = rows<const BFloat16>(C_.get(), kStates),
        .A = A_.get(),
        .delta_bias = bias_.get(),
        .decay = decay,
        .reduction = reduction,
        .scores = scores_.get(),
    };
  }

 private:
  static DeviceBuffer<float> on_device(const std::vector<float>& host) {
    DeviceBuffer<float> buffer = uninitialised<float>(std::ssize(host));
    require(
        cudaMemcpy(buffer.get(), host.data(), host.size() * sizeof(float), cudaMemcpyHostToDevice));
    return buffer;
  }

  template <typename T>
  Rows<T> rows(T* data, std::int64_t width) const {
    return {data, length_ * width, width};
  }

  std::int64_t batch_, length_, channels_;
  DeviceBuffer<BFloat16> u_, delta_, z_, B_, C_, out_;
  DeviceBuffer<float> A_, D_, bias_, last_state_, scores_;
};

double time_influence(const Inputs& inputs, InfluenceDecay decay, InfluenceReduction reduction) {
  InfluenceScoresParams<BFloat16> params = inputs.influence(decay, reduction);
  const DeviceBuffer<float> partial = uninitialised<float>(influence_scores_scratch_cuda(params));
  params.partial = partial.get();
  return median_us([&](cudaStream_t stream) { require(influence_scores_cuda(params, stream)); });
}

double time_scan(const Inputs& inputs) {
  const SelectiveScanParams<BFloat16> params = inputs.scan();
  return median_us([&](cudaStream_t stream) { require(selective_scan_cuda(params, stream)); });
}

void run() {
  cudaDeviceProp device{};
  require(cudaGetDeviceProperties(&device, 0));
  int kilohertz = 0;
  require(cudaDeviceGetAttribute(&kilohertz, cudaDevAttrClockRate, 0));
  std::printf(
      "%s, %d multiprocessors, %.2f GHz at most; bfloat16, N = 16; microseconds, median of "
      "20 graph replays of 10 launches\n\n",
      device.name, device.multiProcessorCount, kilohertz * 1e-6);
  std::printf(
      "| (B, L, D) | scan floor | scan | / floor | portable |"
      " influence max no_bias | / scan | portable | max full | l1 | l2 | signed_max |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  const std::int64_t shapes[][3] = {
      {1, 512, 5120},  {1, 2048, 768},  {1, 2048, 1536}, {1, 2048, 2048}, {1, 2048, 3072},
      {1, 2048, 4096}, {1, 2048, 5120}, {2, 2048, 5120}, {8, 2048, 1536}, {8, 2048, 5120},
      {64, 256, 5120}, {1, 8192, 5120}, {1, 32768, 5120}};
  for (const auto& [batch, length, channels] : shapes) {
    const Inputs inputs(batch, length, channels);
    const double floor = static_cast<double>(batch * length * channels) * (kStates + 3) /
                         (16.0 * device.multiProcessorCount * kilohertz * 1e-3);
    const auto influence = [&](InfluenceDecay decay, InfluenceReduction reduction) {
      return time_influence(inputs, decay, reduction);
    };
    const double scan = time_scan(inputs);
    const double max = influence(InfluenceDecay::kNoBias, InfluenceReduction::kMax);
    const double full = influence(InfluenceDecay::kFull, InfluenceReduction::kMax);
    const double l1 = influence(InfluenceDecay::kNoBias, InfluenceReduction::kL1);
    const double l2 = influence(InfluenceDecay::kNoBias, InfluenceReduction::kL2);
    const double signed_max = influence(InfluenceDecay::kNoBias, InfluenceReduction::kSignedMax);
    force_cuda_path(CudaPath::kPortable);
    const double portable_scan = time_scan(inputs);
    const double portable_max = influence(InfluenceDecay::kNoBias, InfluenceReduction::kMax);
    force_cuda_path(std::nullopt);
    std::printf(
        "| (%lld, %lld, %lld) | %.1f | %.1f | %.2f | %.1f | %.1f | %.2f | %.1f | %.1f | %.1f "
        "| %.1f | %.1f |\n",
        static_cast<long long>(batch), static_cast<long long>(length),
        static_cast<long long>(channels), floor, scan, scan / floor, portable_scan, max, max / scan,
        portable_max, full, l1, l2, signed_max);
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace simba::kernels

int main() {
  simba::kernels::run();
  return 0;
}
