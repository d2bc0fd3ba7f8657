// Small host arrays on a device, each copied there once: what lengths and schedules decide
// (cu_seqlens, rows of last tokens, fixed positions) is the same in every pass over the same shape,
// and a copy from the host cannot be part of a CUDA graph.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <map>
#include <string>

namespace simba {

class DeviceConstants {
 public:
  // `host`, contiguous, on `device`: one tensor for every call with the same values and type.
  at::Tensor find_or_copy(const at::Tensor& host, at::Device device);

  std::size_t size() const { return tensors_.size(); }

  // While it lives, packed_layout.h takes this thread's tensors from `constants`.
  class Scope {
   public:
    explicit Scope(DeviceConstants& constants);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    DeviceConstants* outer_;
  };

  // Those of the innermost Scope of this thread, or null.
  static DeviceConstants* current();

 private:
  std::map<std::string, at::Tensor> tensors_;  // by device, type and bytes
};

}  // namespace simba
