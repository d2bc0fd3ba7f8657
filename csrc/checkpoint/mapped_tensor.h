// Tensors whose memory is a range of a mapped file.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "csrc/checkpoint/mapped_file.h"

namespace simba {

// The tensors of a weights file, by the names they have there.
using NamedTensors = std::map<std::string, at::Tensor>;

// Bytes of a contiguous tensor; nothing where a size is negative or where the product of the sizes
// (zeros counted as ones: strides are computed that way) does not fit 63 bits.
std::optional<std::int64_t> tensor_bytes(at::IntArrayRef shape, at::ScalarType dtype);

// A contiguous tensor over the file's bytes from `offset`, which keeps the mapping alive. Bytes
// that are not aligned for the dtype are copied. The range must lie inside the file:
// std::out_of_range otherwise.
at::Tensor mapped_tensor(std::shared_ptr<const MappedFile> file, std::size_t offset,
                         at::IntArrayRef shape, at::ScalarType dtype);

}  // namespace simba
