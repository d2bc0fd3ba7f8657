// Device memory with values in it, for benchmarks.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <random>
#include <type_traits>
#include <vector>

#include "benchmarks/kernels_cuda/timing.h"
#include "kernels/dtype.h"

namespace simba::kernels {

// Freed with its last owner.
template <typename T>
using DeviceBuffer = std::shared_ptr<T>;

template <typename T>
DeviceBuffer<T> uninitialised(std::int64_t count) {
  void* data = nullptr;
  require(cudaMalloc(&data, static_cast<std::size_t>(count) * sizeof(T)));
  return DeviceBuffer<T>(static_cast<T*>(data), [](T* memory) { cudaFree(memory); });
}

template <typename T>
DeviceBuffer<T> zeros(std::int64_t count) {
  DeviceBuffer<T> buffer = uninitialised<T>(count);
  require(cudaMemset(buffer.get(), 0, static_cast<std::size_t>(count) * sizeof(T)));
  return buffer;
}

// A million values of T = float or BFloat16, normally distributed.
template <typename T>
const std::vector<T>& normal_values() {
  static const std::vector<T> values = [] {
    std::mt19937 engine(1);
    std::normal_distribution<float> normal;
    std::vector<T> drawn(1 << 20);
    for (T& value : drawn) {
      const float exact = normal(engine);
      if constexpr (std::is_same_v<T, float>) {
        value = exact;
      } else {
        static_assert(std::is_same_v<T, BFloat16>);
        value = {static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(exact) >> 16)};
      }
    }
    return drawn;
  }();
  return values;
}

// Those values, repeated where there are more.
template <typename T>
DeviceBuffer<T> random_values(std::int64_t count) {
  const std::vector<T>& host = normal_values<T>();
  DeviceBuffer<T> buffer = uninitialised<T>(count);
  const auto first = std::min<std::int64_t>(count, std::ssize(host));
  require(cudaMemcpy(buffer.get(), host.data(), static_cast<std::size_t>(first) * sizeof(T),
                     cudaMemcpyHostToDevice));
  for (std::int64_t filled = first; filled < count;) {
    const std::int64_t more = std::min(filled, count - filled);
    require(cudaMemcpy(buffer.get() + filled, buffer.get(),
                       static_cast<std::size_t>(more) * sizeof(T), cudaMemcpyDeviceToDevice));
    filled += more;
  }
  return buffer;
}

// (batch, count): `count` row numbers of each batch row, `step` apart.
inline DeviceBuffer<std::int64_t> every_row(std::int64_t batch, std::int64_t count,
                                            std::int64_t step) {
  std::vector<std::int64_t> host;
  for (std::int64_t i = 0; i < batch * count; ++i) host.push_back(i % count * step);
  DeviceBuffer<std::int64_t> buffer = uninitialised<std::int64_t>(std::ssize(host));
  require(cudaMemcpy(buffer.get(), host.data(), host.size() * sizeof(std::int64_t),
                     cudaMemcpyHostToDevice));
  return buffer;
}

}  // namespace simba::kernels
