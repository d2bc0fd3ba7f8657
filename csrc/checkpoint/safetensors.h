// The safetensors format: an 8-byte little-endian length, a JSON header of that length, and the
// tensors' bytes without gaps (README of the safetensors repository, "Format"). Tensors are mapped,
// never copied.
#pragma once

#include <string>

#include "csrc/checkpoint/mapped_tensor.h"

namespace simba {

// Throws InputError where the file breaks any rule of the format: header at most 100 MB and inside
// the file, names unique, tensors covering the bytes after it exactly, without gap or overlap, and
// each of the size that its dtype and shape give. Element types of less than a byte are refused.
NamedTensors read_safetensors(const std::string& path);

}  // namespace simba
