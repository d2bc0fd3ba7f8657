#include "csrc/checkpoint/restricted_unpickler.h"

#include <ATen/ops/as_strided.h>

#include <optional>
#include <unordered_map>
#include <vector>

#include "csrc/checkpoint/pickle_reader.h"
#include "csrc/checkpoint/pickle_value.h"
#include "csrc/checkpoint/quote.h"
#include "csrc/input_error.h"

namespace simba {
namespace {

using pickle::Dict;
using pickle::Global;
using pickle::Items;
using pickle::Storage;
using pickle::Tuple;
using pickle::Value;

constexpr std::size_t kMostDimensions = 16;

// What names in the stream mean: the whitelist, and the arguments of torch's two rebuild functions.
class TensorHost : public pickle::PickleHost {
 public:
  TensorHost(const std::string& file, const LoadStorage& load_storage)
      : file_(file), load_storage_(load_storage) {}

  Value find_global(const std::string& name) override;
  Value find_persistent(const Items& id) override;
  Value call(const Global& callable, const Items& args) override;

 private:
  [[noreturn]] void fail(const std::string& text) const { throw InputError(file_ + ": " + text); }

  template <typename T>
  const T& expect(const Value* value, const char* what) const {
    const T* held = std::get_if<T>(&value->is);
    if (held == nullptr)
      fail(std::string(what) + " expected in its pickle, got " + type_name(*value));
    return *held;
  }
  std::vector<std::int64_t> integers(const Value* tuple) const;
  at::Tensor rebuild_tensor(const Items& args) const;

  const std::string& file_;
  const LoadStorage& load_storage_;
};

Value TensorHost::find_global(const std::string& name) {
  using Kind = Global::Kind;
  static const std::unordered_map<std::string, Global> kAllowed = {
      {"collections.OrderedDict", {Kind::kOrderedDict, {}}},
      {"torch._utils._rebuild_tensor_v2", {Kind::kRebuildTensor, {}}},
      {"torch._utils._rebuild_parameter", {Kind::kRebuildParameter, {}}},
      {"torch.DoubleStorage", {Kind::kStorage, at::kDouble}},
      {"torch.FloatStorage", {Kind::kStorage, at::kFloat}},
      {"torch.HalfStorage", {Kind::kStorage, at::kHalf}},
      {"torch.BFloat16Storage", {Kind::kStorage, at::kBFloat16}},
      {"torch.LongStorage", {Kind::kStorage, at::kLong}},
      {"torch.IntStorage", {Kind::kStorage, at::kInt}},
      {"torch.ShortStorage", {Kind::kStorage, at::kShort}},
      {"torch.CharStorage", {Kind::kStorage, at::kChar}},
      {"torch.ByteStorage", {Kind::kStorage, at::kByte}},
      {"torch.BoolStorage", {Kind::kStorage, at::kBool}},
  };
  const auto found = kAllowed.find(name);
  if (found == kAllowed.end()) fail("forbidden global " + quote(name));
  return {found->second};
}

// ('storage', type, key, location, elements)
Value TensorHost::find_persistent(const Items& id) {
  if (id.size() != 5 || expect<std::string_view>(id[0], "the word 'storage'") != "storage") {
    fail("a persistent id in its pickle does not name a storage");
  }
  const Global& type = expect<Global>(id[1], "a storage type");
  if (type.kind != Global::Kind::kStorage) fail("a storage type expected in its pickle");
  const std::string_view key = expect<std::string_view>(id[2], "a storage key");
  expect<std::string_view>(id[3], "a storage location");
  const std::int64_t elements = expect<std::int64_t>(id[4], "a storage size");
  return {Storage{load_storage_(key, type.dtype, elements)}};
}

Value TensorHost::call(const Global& callable, const Items& args) {
  switch (callable.kind) {
    case Global::Kind::kOrderedDict:
      if (!args.empty()) fail("OrderedDict in its pickle: expected no arguments");
      return {Dict{}};
    case Global::Kind::kRebuildTensor:
      return {rebuild_tensor(args)};
    case Global::Kind::kRebuildParameter:
      if (args.size() != 3) fail("_rebuild_parameter in its pickle: expected 3 arguments");
      return {expect<at::Tensor>(args[0], "a tensor")};
    case Global::Kind::kStorage:
      break;
  }
  fail("a storage type is called in its pickle");
}

std::vector<std::int64_t> TensorHost::integers(const Value* tuple) const {
  std::vector<std::int64_t> out;
  for (const Value* item : expect<Tuple>(tuple, "a tuple of integers").items) {
    out.push_back(expect<std::int64_t>(item, "an integer"));
  }
  return out;
}

// (storage, offset, sizes, strides, requires_grad, backward hooks[, metadata]); offset and strides
// count elements.
at::Tensor TensorHost::rebuild_tensor(const Items& args) const {
  if (args.size() != 6 && args.size() != 7) {
    fail("_rebuild_tensor_v2 in its pickle: expected 6 or 7 arguments");
  }
  const at::Tensor& storage = expect<Storage>(args[0], "a storage").elements;
  const std::int64_t offset = expect<std::int64_t>(args[1], "a storage offset");
  const std::vector<std::int64_t> sizes = integers(args[2]), strides = integers(args[3]);
  if (sizes.size() != strides.size() || sizes.size() > kMostDimensions) {
    fail("a tensor with " + std::to_string(sizes.size()) + " sizes and " +
         std::to_string(strides.size()) + " strides");
  }
  const std::optional<std::int64_t> bytes = tensor_bytes(sizes, storage.scalar_type());
  if (!bytes) fail("a tensor with a negative or overflowing size");
  bool outside = offset < 0 || offset > storage.numel();
  std::int64_t last = offset;  // the farthest element
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::int64_t steps = sizes[i] > 0 ? sizes[i] - 1 : 0;
    std::int64_t reach = 0;
    outside = outside || strides[i] < 0 || __builtin_mul_overflow(strides[i], steps, &reach) ||
              __builtin_add_overflow(last, reach, &last);
  }
  const std::int64_t elements = *bytes / static_cast<std::int64_t>(storage.element_size());
  outside = outside || (elements > 0 && last >= storage.numel());
  if (outside) {
    fail("a tensor reaches outside its storage of " + std::to_string(storage.numel()) +
         " elements");
  }
  if (elements > storage.numel()) {
    fail("a tensor has " + std::to_string(elements) + " elements, its storage " +
         std::to_string(storage.numel()));
  }
  return at::as_strided(storage, sizes, strides, offset);
}

}  // namespace

NamedTensors unpickle_tensors(std::string_view pickle, const std::string& file,
                              const LoadStorage& load_storage) {
  TensorHost host(file, load_storage);
  pickle::PickleReader reader(pickle, file, host);
  const Value& root = reader.read();

  const Dict* dict = std::get_if<Dict>(&root.is);
  if (dict == nullptr)
    throw InputError(file + ": expected a dict of tensors, got " + type_name(root));
  NamedTensors tensors;
  for (std::size_t i = 0; i < dict->items.size(); i += 2) {
    const Value &key = *dict->items[i], &value = *dict->items[i + 1];
    const auto* name = std::get_if<std::string_view>(&key.is);
    if (name == nullptr)
      throw InputError(file + ": names of tensors expected, got " + type_name(key));
    const auto* tensor = std::get_if<at::Tensor>(&value.is);
    if (tensor == nullptr) {
      throw InputError(file + ": tensor expected as " + quote(*name) + ", got " + type_name(value));
    }
    if (!tensors.emplace(*name, *tensor).second) {
      throw InputError(file + ": tensor " + quote(*name) + " occurs twice");
    }
  }
  return tensors;
}

}  // namespace simba
