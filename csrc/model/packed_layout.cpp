#include "csrc/model/packed_layout.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "csrc/model/device_constants.h"

namespace simba {
namespace {

template <typename T>
at::Tensor to_device(const std::vector<T>& values, at::ScalarType type, at::Device device) {
  at::Tensor host = at::empty({static_cast<std::int64_t>(values.size())}, type);
  std::copy(values.begin(), values.end(), host.data_ptr<T>());
  if (DeviceConstants* constants = DeviceConstants::current()) {
    return constants->find_or_copy(host, device);
  }
  return device.is_cpu() ? host : host.to(device);
}

}  // namespace

at::Tensor make_cu_seqlens(const std::vector<std::int64_t>& lengths, at::Device device) {
  std::vector<std::int32_t> cu_seqlens(1, 0);
  for (const std::int64_t length : lengths) {
    cu_seqlens.push_back(cu_seqlens.back() + static_cast<std::int32_t>(length));
  }
  return to_device(cu_seqlens, at::kInt, device);
}

at::Tensor make_index(const std::vector<std::int64_t>& values, at::Device device) {
  return to_device(values, at::kLong, device);
}

at::Tensor make_positions(const std::vector<std::int64_t>& first,
                          const std::vector<std::int64_t>& lengths, at::Device device) {
  std::vector<std::int64_t> positions;
  for (std::size_t s = 0; s < lengths.size(); ++s) {
    for (std::int64_t i = 0; i < lengths[s]; ++i) positions.push_back(first[s] + i);
  }
  return make_index(positions, device);
}

std::vector<std::int64_t> last_tokens(const std::vector<std::int64_t>& lengths) {
  std::vector<std::int64_t> rows;
  std::int64_t end = 0;
  for (const std::int64_t length : lengths) {
    end += length;
    if (length > 0) rows.push_back(end - 1);
  }
  return rows;
}

}  // namespace simba
