// Times of the operators that only stream tokens through the chip (causal_conv1d, add_norm, gate,
// select_tokens), portable and fast, at mamba-130m's and mamba-2.8b's sizes in bfloat16, beside the
// time in which a device-to-device copy moves the same bytes. Enough sets of buffers take turns
// that the second-level cache holds nothing of what a launch reads, but for select_tokens, whose
// scores are in it when a model calls it.
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
#include "kernels/add_norm/add_norm_cuda.h"
#include "kernels/causal_conv1d/causal_conv1d_cuda.h"
#include "kernels/cuda/path.h"
#include "kernels/gate/gate_cuda.h"
#include "kernels/select_tokens/select_tokens_cuda.h"

namespace simba::kernels {
namespace {

struct Shape {
  std::string model;
  std::int64_t batch, length, d_model, d_inner;
};

// One operator at one shape: `bytes` are those one launch reads and writes at least, each input
// once, parameters left out; sets[i] launches it on the i-th set of buffers.
struct Operation {
  std::string name;
  double bytes;
  std::vector<std::function<void(cudaStream_t)>> sets;
};

constexpr std::int64_t kBFloat16 = 2, kFloat = 4, kIndex = 8;

// How many sets of `bytes` it takes so that a set has left the cache when its turn comes again.
int sets_of(double bytes) {
  int device = 0, cache = 0;
  require(cudaGetDevice(&device));
  require(cudaDeviceGetAttribute(&cache, cudaDevAttrL2CacheSize, device));
  return 2 + static_cast<int>(3.0 * cache / bytes);
}

template <typename T>
Rows<T> rows(T* data, std::int64_t length, std::int64_t stride) {
  return {.data = data, .batch_stride = length * stride, .row_stride = stride};
}

// x is half of in_proj's output.
Operation causal_conv1d(const Shape& shape) {
  const std::int64_t D = shape.d_inner, L = shape.length, K = 4;
  const std::int64_t tokens = shape.batch * L;
  Operation operation{.name = "causal_conv1d", .bytes = 2.0 * tokens * D * kBFloat16, .sets = {}};
  for (int i = sets_of(operation.bytes); i > 0; --i) {
    const auto xz = random_values<BFloat16>(tokens * 2 * D),
               out = uninitialised<BFloat16>(tokens * D);
    const auto weight = random_values<float>(D * K), bias = random_values<float>(D);
    const auto last_state = uninitialised<BFloat16>(shape.batch * D * (K - 1));
    operation.sets.push_back([=](cudaStream_t stream) {
      require(causal_conv1d_cuda(
          CausalConv1dParams<BFloat16>{
              .sequences = {.count = shape.batch, .length = L, .cu_seqlens = nullptr},
              .channels = D,
              .width = K,
              .x = rows<const BFloat16>(xz.get(), L, 2 * D),
              .out = rows(out.get(), L, D),
              .weight = weight.get(),
              .bias = bias.get(),
              .last_state = last_state.get(),
              .silu = true},
          stream));
    });
  }
  return operation;
}

// The residual in R; where `kept` is not 0, that many of its rows are taken.
template <typename R>
Operation add_norm(const Shape& shape, std::int64_t kept) {
  const std::int64_t D = shape.d_model, L = shape.length, rows_out = kept ? kept : L;
  const std::int64_t tokens = shape.batch * rows_out;
  Operation operation{
      .name = "add_norm, residual " + std::string(sizeof(R) == 4 ? "float32" : "bfloat16") +
              (kept ? ", 1 row of " + std::to_string(L / kept) : ""),
      .bytes = 2.0 * tokens * D * (kBFloat16 + sizeof(R)) + (kept ? tokens * kIndex : 0),
      .sets = {}};
  for (int i = sets_of(operation.bytes); i > 0; --i) {
    const auto x = random_values<BFloat16>(tokens * D);
    const auto residual = random_values<R>(shape.batch * L * D);
    const auto weight = random_values<float>(D);
    const auto normed = uninitialised<BFloat16>(tokens * D);
    const auto new_residual = uninitialised<R>(tokens * D);
    const auto indices = kept ? every_row(shape.batch, kept, L / kept) : nullptr;
    operation.sets.push_back([=](cudaStream_t stream) {
      require(add_norm_cuda(
          AddNormParams<BFloat16, R>{.batch = shape.batch,
                                     .rows = rows_out,
                                     .channels = D,
                                     .x = rows<const BFloat16>(x.get(), rows_out, D),
                                     .residual = rows<const R>(residual.get(), L, D),
                                     .indices = indices.get(),
                                     .weight = weight.get(),
                                     .normed = rows(normed.get(), rows_out, D),
                                     .new_residual = rows(new_residual.get(), rows_out, D),
                                     .eps = 1e-5},
          stream));
    });
  }
  return operation;
}

// z is the other half of in_proj's output; where `kept` is not 0, that many rows are taken.
Operation gate(const Shape& shape, std::int64_t kept) {
  const std::int64_t D = shape.d_inner, L = shape.length, rows_out = kept ? kept : L;
  const std::int64_t tokens = shape.batch * rows_out;
  Operation operation{.name = "gate" + (kept ? ", 1 row of " + std::to_string(L / kept) : ""),
                      .bytes = 3.0 * tokens * D * kBFloat16 + (kept ? tokens * kIndex : 0),
                      .sets = {}};
  for (int i = sets_of(operation.bytes); i > 0; --i) {
    const auto y = random_values<BFloat16>(shape.batch * L * D);
    const auto xz = random_values<BFloat16>(shape.batch * L * 2 * D);
    const auto out = uninitialised<BFloat16>(tokens * D);
    const auto indices = kept ? every_row(shape.batch, kept, L / kept) : nullptr;
    operation.sets.push_back([=](cudaStream_t stream) {
      require(gate_cuda(GateParams<BFloat16>{.batch = shape.batch,
                                             .rows = rows_out,
                                             .channels = D,
                                             .y = rows<const BFloat16>(y.get(), L, D),
                                             .z = rows<const BFloat16>(xz.get() + D, L, 2 * D),
                                             .indices = indices.get(),
                                             .out = rows(out.get(), rows_out, D)},
                        stream));
    });
  }
  return operation;
}

// `scores` are normal, as log2 influences are, or all equal, where every token ties.
Operation select_tokens(std::int64_t batch, std::int64_t length, std::int64_t keep, bool equal) {
  Operation operation{
      .name = "select_tokens, keep " + std::to_string(keep) + (equal ? ", all equal" : ""),
      .bytes = static_cast<double>(batch * (length * kFloat + keep * kIndex)),
      .sets = {}};
  for (int i = 0; i < 8; ++i) {
    const auto scores = equal ? zeros<float>(batch * length) : random_values<float>(batch * length);
    const auto indices = uninitialised<std::int64_t>(batch * keep);
    operation.sets.push_back([=](cudaStream_t stream) {
      std::vector<std::int64_t> offsets;
      for (std::int64_t s = 0; s <= batch; ++s) offsets.push_back(s * keep);
      require(select_tokens_cuda(
          SelectTokensParams<float>{
              .sequences = {.count = batch, .length = length, .cu_seqlens = nullptr},
              .scores = scores.get(),
              .batch_stride = length,
              .keep_offsets = offsets.data(),
              .indices = indices.get()},
          nullptr, stream));
    });
  }
  return operation;
}

double time_of(const Operation& operation, CudaPath path) {
  force_cuda_path(path);
  std::size_t turn = 0;
  const auto launch = [&](cudaStream_t stream) {
    operation.sets[turn++ % operation.sets.size()](stream);
  };
  return median_us(launch, std::max(10, static_cast<int>(operation.sets.size())));
}

// bandwidth: bytes per second.
void report(const std::string& shape, const Operation& operation, double bandwidth) {
  const double floor = operation.bytes / bandwidth * 1e6;
  const double portable = time_of(operation, CudaPath::kPortable);
  const double fast = time_of(operation, CudaPath::kFast);
  std::printf("| %-20s | %-38s | %9.2f | %9.2f | %9.2f | %6.2f | %8.2f |\n", shape.c_str(),
              operation.name.c_str(), floor, portable, fast, fast / floor, portable / fast);
  std::fflush(stdout);
}

void run() {
  int device = 0;
  cudaDeviceProp properties{};
  require(cudaGetDevice(&device));
  require(cudaGetDeviceProperties(&properties, device));
  const double bandwidth = measured_copy_bandwidth();
  std::printf(
      "%s, %d multiprocessors, copy %.2f TB/s; microseconds, median of 20 graph replays of "
      "at least 10 launches, buffers in rotation\n\n",
      properties.name, properties.multiProcessorCount, bandwidth * 1e-12);
  std::printf(
      "| shape                | operator                               |     floor |  "
      "portable |      fast | /floor | portable/fast |\n|---|---|---|---|---|---|---|\n");
  for (const Shape& shape :
       {Shape{"2.8b", 1, 2048, 2560, 5120}, Shape{"2.8b", 8, 2048, 2560, 5120},
        Shape{"130m", 1, 2048, 768, 1536}, Shape{"130m", 8, 2048, 768, 1536}}) {
    const std::string name = shape.model + " (" + std::to_string(shape.batch) + ", " +
                             std::to_string(shape.length) + ")";
    const std::int64_t kept = shape.length / 8;
    report(name, causal_conv1d(shape), bandwidth);
    report(name, add_norm<float>(shape, 0), bandwidth);
    report(name, add_norm<BFloat16>(shape, 0), bandwidth);
    report(name, add_norm<float>(shape, kept), bandwidth);
    report(name, gate(shape, 0), bandwidth);
    report(name, gate(shape, kept), bandwidth);
  }
  for (const std::int64_t length : {256, 2048, 8192, 32768}) {
    const std::string name = "(1, " + std::to_string(length) + ")";
    report(name, select_tokens(1, length, length / 10, false), bandwidth);
    report(name, select_tokens(1, length, length * 9 / 10, false), bandwidth);
    report(name, select_tokens(1, length, length / 2, true), bandwidth);
  }
  report("(8, 2048)", select_tokens(8, 2048, 1024, false), bandwidth);
}

}  // namespace
}  // namespace simba::kernels

int main() {
  try {
    simba::kernels::run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "benchmark_stream_ops: %s\n", error.what());
    return 1;
  }
}
