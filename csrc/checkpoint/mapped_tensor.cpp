#include "csrc/checkpoint/mapped_tensor.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/ScalarType.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace simba {

std::optional<std::int64_t> tensor_bytes(at::IntArrayRef shape, at::ScalarType dtype) {
  auto extent = static_cast<std::int64_t>(c10::elementSize(dtype));
  bool empty = false;
  for (const std::int64_t size : shape) {
    if (size < 0) return std::nullopt;
    empty = empty || size == 0;
    if (__builtin_mul_overflow(extent, std::max<std::int64_t>(size, 1), &extent)) {
      return std::nullopt;
    }
  }
  return empty ? 0 : extent;
}

at::Tensor mapped_tensor(std::shared_ptr<const MappedFile> file, std::size_t offset,
                         at::IntArrayRef shape, at::ScalarType dtype) {
  const std::optional<std::int64_t> bytes = tensor_bytes(shape, dtype);
  if (!bytes || offset > file->size() || static_cast<std::size_t>(*bytes) > file->size() - offset) {
    throw std::out_of_range("mapped_tensor: range outside " + file->path());
  }
  if (*bytes == 0) return at::empty(shape, dtype);
  char* data = file->data() + offset;
  if (reinterpret_cast<std::uintptr_t>(data) % c10::elementSize(dtype) != 0) {
    at::Tensor copy = at::empty(shape, dtype);
    std::memcpy(copy.mutable_data_ptr(), data, static_cast<std::size_t>(*bytes));
    return copy;
  }
  return at::from_blob(
      data, shape, [file = std::move(file)](void*) {}, at::TensorOptions(dtype));
}

}  // namespace simba
