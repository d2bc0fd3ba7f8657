// Times of the gradients of scan, convolution, norm and gate, portable and fast, in bfloat16,
// beside the time in which a device-to-device copy moves the bytes that each must read and write:
// inputs and gradients once, scratch left out. Enough sets of buffers take turns that the
// second-level cache holds nothing of what a launch reads.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "benchmarks/kernels_cuda/device_buffer.h"
#include "benchmarks/kernels_cuda/timing.h"
#include "kernels/add_norm_backward/add_norm_backward_cuda.h"
#include "kernels/causal_conv1d_backward/causal_conv1d_backward_cuda.h"
#include "kernels/cuda/path.h"
#include "kernels/gate_backward/gate_backward_cuda.h"
#include "kernels/selective_scan_backward/selective_scan_backward_cuda.h"

namespace simba::kernels {
namespace {

struct Shape {
  std::int64_t batch, length, channels;

  std::int64_t tokens() const { return batch * length; }
  std::int64_t elements() const { return tokens() * channels; }
};

// `bytes` are those one launch must move; sets[i] launches it on the i-th set of buffers.
struct Operation {
  std::string name;
  double bytes;
  std::vector<std::function<void(cudaStream_t)>> sets;
};

// How many sets of `bytes` it takes so that a set has left the cache when its turn comes again.
int sets_of(double bytes) {
  int device = 0, cache = 0;
  require(cudaGetDevice(&device));
  require(cudaDeviceGetAttribute(&cache, cudaDevAttrL2CacheSize, device));
  return 2 + static_cast<int>(3.0 * cache / bytes);
}

// A set of buffers, which live as long as the launch that uses them.
class Set {
 public:
  explicit Set(const Shape& shape) : shape_(shape) {}

  Rows<const BFloat16> input(std::int64_t width) {
    return rows<const BFloat16>(keep(random_values<BFloat16>(shape_.tokens() * width)), width);
  }
  Rows<const float> wide_input(std::int64_t width) {
    return rows<const float>(keep(random_values<float>(shape_.tokens() * width)), width);
  }
  Rows<BFloat16> output(std::int64_t width) {
    return rows<BFloat16>(keep(uninitialised<BFloat16>(shape_.tokens() * width)), width);
  }
  Rows<float> wide_output(std::int64_t width) {
    return rows<float>(keep(uninitialised<float>(shape_.tokens() * width)), width);
  }
  const float* values(std::int64_t count) { return keep(random_values<float>(count)); }
  float* memory(std::int64_t count) { return keep(uninitialised<float>(count)); }

  // Delta before softplus about -2.5 with its bias, as in trained models; A about -(1 .. 16).
  const float* decays(std::int64_t states) {
    std::vector<float> host;
    for (std::int64_t i = 0; i < shape_.channels * states; ++i) {
      host.push_back(-static_cast<float>(i % states + 1));
    }
    return upload(host);
  }
  const float* biases() {
    return upload(std::vector<float>(static_cast<std::size_t>(shape_.channels), -2.5f));
  }

 private:
  template <typename T>
  T* keep(const DeviceBuffer<T>& buffer) {
    buffers_.push_back(buffer);
    return buffer.get();
  }
  const float* upload(const std::vector<float>& host) {
    float* device = memory(std::ssize(host));
    require(cudaMemcpy(device, host.data(), host.size() * sizeof(float), cudaMemcpyHostToDevice));
    return device;
  }
  template <typename T>
  Rows<T> rows(T* data, std::int64_t width) const {
    return {.data = data, .batch_stride = shape_.length * width, .row_stride = width};
  }

  Shape shape_;
  std::vector<std::shared_ptr<const void>> buffers_;
};

constexpr double kBFloat16 = 2, kFloat = 4;

// params(set) without scratch; scratch(params) its size; run(params, stream).
template <typename MakeParams, typename Scratch, typename Run>
Operation operation(const Shape& shape, const std::string& name, double bytes,
                    const MakeParams& make_params, const Scratch& scratch, const Run& run) {
  Operation made{.name = name, .bytes = bytes, .sets = {}};
  for (int i = sets_of(bytes); i > 0; --i) {
    const auto set = std::make_shared<Set>(shape);
    auto params = make_params(*set);
    // Either path's.
    std::int64_t size = 0;
    for (const CudaPath path : {CudaPath::kPortable, CudaPath::kFast}) {
      force_cuda_path(path);
      size = std::max(size, scratch(params));
    }
    params.scratch = set->memory(size);
    made.sets.push_back([=](cudaStream_t stream) {
      static_cast<void>(set);
      require(run(params, stream));
    });
  }
  return made;
}

Operation selective_scan(const Shape& shape) {
  constexpr std::int64_t kStates = 16;
  const double bytes = kBFloat16 * (7.0 * shape.elements() + 4.0 * shape.tokens() * kStates);
  return operation(
      shape, "selective_scan", bytes,
      [&](Set& set) {
        const std::int64_t D = shape.channels;
        return SelectiveScanBackwardParams<BFloat16>{
            .sequences = {shape.batch, shape.length, nullptr},
            .batch = shape.batch,
            .channels = D,
            .states = kStates,
            .u = set.input(D),
            .delta = set.input(D),
            .z = set.input(D),
            .B = set.input(kStates),
            .C = set.input(kStates),
            .A = set.decays(kStates),
            .D = set.values(D),
            .delta_bias = set.biases(),
            .delta_softplus = true,
            .grad_out = set.input(D),
            .grad_u = set.output(D),
            .grad_delta = set.output(D),
            .grad_z = set.output(D),
            .grad_B = set.output(kStates),
            .grad_C = set.output(kStates),
            .grad_A = set.memory(D * kStates),
            .grad_D = set.memory(D),
            .grad_delta_bias = set.memory(D),
        };
      },
      [](const auto& params) { return selective_scan_backward_scratch_cuda(params); },
      [](const auto& params, cudaStream_t stream) {
        return selective_scan_backward_cuda(params, stream);
      });
}

Operation causal_conv1d(const Shape& shape) {
  constexpr std::int64_t kWidth = 4;
  return operation(
      shape, "causal_conv1d", 3 * kBFloat16 * shape.elements(),
      [&](Set& set) {
        const std::int64_t D = shape.channels;
        return CausalConv1dBackwardParams<BFloat16>{
            .sequences = {shape.batch, shape.length, nullptr},
            .batch = shape.batch,
            .channels = D,
            .width = kWidth,
            .x = set.input(D),
            .weight = set.values(D * kWidth),
            .bias = set.values(D),
            .silu = true,
            .grad_out = set.input(D),
            .grad_x = set.output(D),
            .grad_weight = set.memory(D * kWidth),
            .grad_bias = set.memory(D),
        };
      },
      [](const auto& params) { return causal_conv1d_backward_scratch_cuda(params); },
      [](const auto& params, cudaStream_t stream) {
        return causal_conv1d_backward_cuda(params, stream);
      });
}

// The residual in float32, RMSNorm.
Operation add_norm(const Shape& shape) {
  return operation(
      shape, "add_norm", (2 * kBFloat16 + 3 * kFloat) * shape.elements(),
      [&](Set& set) {
        const std::int64_t D = shape.channels;
        return AddNormBackwardParams<BFloat16, float>{
            .batch = shape.batch,
            .channels = D,
            .picked = {.sources = shape.length, .rows = shape.length},
            .new_residual = set.wide_input(D),
            .weight = set.values(D),
            .eps = 1e-5,
            .grad_normed = set.input(D),
            .grad_new_residual = set.wide_input(D),
            .grad_x = set.output(D),
            .grad_residual = set.wide_output(D),
            .grad_weight = set.memory(D),
        };
      },
      [](const auto& params) { return add_norm_backward_scratch_cuda(params); },
      [](const auto& params, cudaStream_t stream) {
        return add_norm_backward_cuda(params, stream);
      });
}

Operation gate(const Shape& shape) {
  Operation made{.name = "gate", .bytes = 5 * kBFloat16 * shape.elements(), .sets = {}};
  for (int i = sets_of(made.bytes); i > 0; --i) {
    const auto set = std::make_shared<Set>(shape);
    const std::int64_t D = shape.channels;
    const GateBackwardParams<BFloat16> params{
        .batch = shape.batch,
        .channels = D,
        .picked = {.sources = shape.length, .rows = shape.length},
        .y = set->input(D),
        .z = set->input(D),
        .grad_out = set->input(D),
        .grad_y = set->output(D),
        .grad_z = set->output(D),
    };
    made.sets.push_back([=](cudaStream_t stream) {
      static_cast<void>(set);
      require(gate_backward_cuda(params, stream));
    });
  }
  return made;
}

double time_of(const Operation& operation, CudaPath path) {
  force_cuda_path(path);
  std::size_t turn = 0;
  const auto launch = [&](cudaStream_t stream) {
    operation.sets[turn++ % operation.sets.size()](stream);
  };
  return median_us(launch, std::max(10, static_cast<int>(operation.sets.size())));
}

void report(const Shape& shape, const Operation& operation, double bandwidth) {
  const double floor = operation.bytes / bandwidth * 1e6;
  const double portable = time_of(operation, CudaPath::kPortable);
  const double fast = time_of(operation, CudaPath::kFast);
  std::printf("| (%ld, %ld, %ld) | %-14s | %8.2f | %9.2f | %8.2f | %6.2f |\n",
              static_cast<long>(shape.batch), static_cast<long>(shape.length),
              static_cast<long>(shape.channels), operation.name.c_str(), floor, portable, fast,
              fast / floor);
  std::fflush(stdout);
}

void run() {
  int device = 0;
  cudaDeviceProp properties{};
  require(cudaGetDevice(&device));
  require(cudaGetDeviceProperties(&properties, device));
  const double bandwidth = measured_copy_bandwidth();
  std::printf(
      "%s, %d multiprocessors, copy %.2f TB/s; microseconds, median of 20 graph replays of at "
      "least 10 launches, buffers in rotation\n\n",
      properties.name, properties.multiProcessorCount, bandwidth * 1e-12);
  std::printf(
      "| (B, L, D) | gradients of | floor | portable | fast | /floor "
      "|\n|---|---|---|---|---|---|\n");
  for (const Shape& shape : {Shape{1, 2048, 5120}, Shape{8, 2048, 768}, Shape{8, 2048, 5120},
                             Shape{64, 2048, 768}, Shape{1, 2048, 1536}}) {
    report(shape, selective_scan(shape), bandwidth);
  }
  for (const Shape& shape : {Shape{1, 2048, 5120}, Shape{8, 2048, 768}, Shape{64, 2048, 768}}) {
    report(shape, causal_conv1d(shape), bandwidth);
    report(shape, gate(shape), bandwidth);
  }
  for (const Shape& shape : {Shape{1, 2048, 2560}, Shape{8, 2048, 384}, Shape{64, 2048, 384}}) {
    report(shape, add_norm(shape), bandwidth);
  }
}

}  // namespace
}  // namespace simba::kernels

int main() {
  try {
    simba::kernels::run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "benchmark_backward: %s\n", error.what());
    return 1;
  }
}
