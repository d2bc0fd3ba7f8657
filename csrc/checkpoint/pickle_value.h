// The values that a pickle of tensors can build.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace simba::pickle {

// Values live in the arena of one PickleReader and refer to each other by pointer. Containers can
// then be shared, nest without limit or contain themselves, and are still freed without recursion.
struct Value;
using Items = std::vector<const Value*>;

struct None {};
// The types and functions that a pickle may name.
struct Global {
  enum class Kind { kOrderedDict, kRebuildTensor, kRebuildParameter, kStorage };
  Kind kind;
  at::ScalarType dtype;  // of a storage type
};
struct Storage {
  at::Tensor elements;  // 1-D, contiguous
};
struct Tuple {
  Items items;
};
struct List {
  Items items;
};
struct Dict {
  Items items;  // key, value, key, value, ...; a repeated key is kept
};
struct Value {
  std::variant<None, bool, std::int64_t, double, std::string_view, Global, Storage, at::Tensor,
               Tuple, List, Dict>
      is;
};

std::string type_name(const Value& value);  // "a dict"

}  // namespace simba::pickle
