// Reads the one kind of pickle that torch.save writes for a state_dict: a dict or OrderedDict of
// names to tensors, pickle protocol 2 (format: CPython's Lib/pickletools.py). Nothing in the stream
// is ever run. Four things may be named by it: collections.OrderedDict,
// torch._utils._rebuild_tensor_v2, torch._utils._rebuild_parameter and the torch.*Storage types.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "csrc/checkpoint/mapped_tensor.h"

namespace simba {

// The storage with a key: a contiguous tensor of shape (elements). Throws InputError where there is
// none of that key, or none of that size.
using LoadStorage =
    std::function<at::Tensor(std::string_view key, at::ScalarType dtype, std::int64_t elements)>;

// `file` begins every error. Throws InputError on any other global or opcode, on a truncated or
// inconsistent stream, and on a tensor that would reach outside its storage.
NamedTensors unpickle_tensors(std::string_view pickle, const std::string& file,
                              const LoadStorage& load_storage);

}  // namespace simba
