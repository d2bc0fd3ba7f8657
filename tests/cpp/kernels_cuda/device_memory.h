// Device memory for tests: arrays, and (B, L, C) tensors with gaps between their rows.
#pragma once

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "kernels/views.h"
#include "tests/cpp/kernels_cuda/storage.h"

namespace simba::kernels {

inline void require(cudaError_t error) {
  if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorString(error));
}

// Device memory of `size` elements, filled with bits that read as NaN (integers: -1).
template <typename T>
class DeviceArray {
 public:
  explicit DeviceArray(std::int64_t size) : size_(size) {
    if (size > 0) require(cudaMalloc(reinterpret_cast<void**>(&data_), size * sizeof(T)));
    poison();
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(std::ssize(values)) {
    copy(data_, values.data(), size_, cudaMemcpyHostToDevice);
  }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const { return data_; }
  std::int64_t size() const { return size_; }

  void poison() {
    if (size_ > 0) require(cudaMemset(data_, 0xff, size_ * sizeof(T)));
  }

  std::vector<T> download() const {
    std::vector<T> values(size_);
    copy(values.data(), data_, size_, cudaMemcpyDeviceToHost);
    return values;
  }

 private:
  static void copy(T* to, const T* from, std::int64_t size, cudaMemcpyKind kind) {
    if (size > 0) require(cudaMemcpy(to, from, size * sizeof(T), kind));
  }

  T* data_ = nullptr;
  std::int64_t size_ = 0;
};

// How a (B, L, C) tensor lies in memory: `offset` elements in front, `row_gap` after every row.
struct Spacing {
  std::int64_t offset = 0;
  std::int64_t row_gap = 0;
};

// A (B, L, C) tensor on the device and its values on the host.
template <typename T>
class DeviceRows {
 public:
  DeviceRows(std::int64_t batch, std::int64_t length, std::int64_t channels, Spacing spacing)
      : batch_(batch),
        length_(length),
        channels_(channels),
        spacing_(spacing),
        row_stride_(channels + spacing.row_gap),
        memory_(spacing.offset + batch * length * row_stride_) {}

  // Rounds the values, (B, L, C) contiguous, to T and copies them to the device.
  DeviceRows(std::int64_t batch, std::int64_t length, std::int64_t channels, Spacing spacing,
             const std::vector<double>& values)
      : DeviceRows(batch, length, channels, spacing) {
    std::vector<T> host = memory_.download();
    for (std::int64_t i = 0; i < batch * length * channels; ++i)
      host[place(i)] = store<T>(values[i]);
    if (memory_.size() > 0) {
      require(
          cudaMemcpy(memory_.data(), host.data(), host.size() * sizeof(T), cudaMemcpyHostToDevice));
    }
  }

  Rows<T> rows() const {
    return {.data = memory_.data() + spacing_.offset,
            .batch_stride = length_ * row_stride_,
            .row_stride = row_stride_};
  }
  Rows<const T> const_rows() const {
    return {.data = rows().data, .batch_stride = rows().batch_stride, .row_stride = row_stride_};
  }

  void poison() { memory_.poison(); }

  // The bits of the whole memory, gaps included.
  std::vector<T> bits() const { return memory_.download(); }

  // The values (B, L, C); fails the test where anything between the rows was written.
  std::vector<double> values() const {
    const std::vector<T> host = memory_.download();
    std::vector<double> values(batch_ * length_ * channels_);
    std::vector<bool> in_row(host.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = load(host[place(i)]);
      in_row[place(i)] = true;
    }
    T untouched;
    std::memset(&untouched, 0xff, sizeof(T));
    for (std::size_t i = 0; i < host.size(); ++i) {
      if (!in_row[i]) {
        EXPECT_EQ(std::memcmp(&host[i], &untouched, sizeof(T)), 0) << "written outside of the rows";
      }
    }
    return values;
  }

 private:
  std::int64_t place(std::int64_t i) const {
    return spacing_.offset + i / channels_ * row_stride_ + i % channels_;
  }

  std::int64_t batch_, length_, channels_;
  Spacing spacing_;
  std::int64_t row_stride_;
  DeviceArray<T> memory_;
};

template <typename T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

}  // namespace simba::kernels
