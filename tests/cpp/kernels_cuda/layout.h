// Sequences of a test: packed in one row, or a batch of equal ones.
#pragma once

#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

#include "kernels/views.h"
#include "tests/cpp/kernels_cuda/device_memory.h"

namespace simba::kernels {

class Layout {
 public:
  static Layout batch_of(std::int64_t batch, std::int64_t length) {
    return Layout(batch, length, batch, {});
  }
  static Layout packed(const std::vector<std::int32_t>& lengths) {
    std::vector<std::int32_t> ends(lengths.size() + 1);
    std::partial_sum(lengths.begin(), lengths.end(), ends.begin() + 1);
    return Layout(1, ends.back(), std::ssize(lengths), ends);
  }

  std::int64_t batch() const { return batch_; }
  std::int64_t length() const { return length_; }
  std::int64_t count() const { return count_; }
  std::int64_t tokens() const { return batch_ * length_; }

  // Of sequence s, as flat positions of the (B, L) plane.
  std::int64_t begin(std::int64_t s) const {
    return cu_seqlens_.empty() ? s * length_ : cu_seqlens_[s];
  }
  std::int64_t end(std::int64_t s) const {
    return cu_seqlens_.empty() ? (s + 1) * length_ : cu_seqlens_[s + 1];
  }

  Sequences on_device() const {
    return {.count = count_, .length = length_, .cu_seqlens = device_ ? device_->data() : nullptr};
  }

 private:
  Layout(std::int64_t batch, std::int64_t length, std::int64_t count,
         std::vector<std::int32_t> cu_seqlens)
      : batch_(batch), length_(length), count_(count), cu_seqlens_(std::move(cu_seqlens)) {
    if (!cu_seqlens_.empty()) {
      device_ = std::make_shared<DeviceArray<std::int32_t>>(cu_seqlens_);
    }
  }

  std::int64_t batch_, length_, count_;
  std::vector<std::int32_t> cu_seqlens_;
  std::shared_ptr<DeviceArray<std::int32_t>> device_;
};

}  // namespace simba::kernels
