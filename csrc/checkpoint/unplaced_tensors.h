// The tensors of a checkpoint that have no place in the model yet: each is taken once, by name and
// shape, and what is left at the end is an error.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "csrc/checkpoint/mapped_tensor.h"

namespace simba {

using Shape = std::vector<std::int64_t>;

// Throws InputError unless it is float32, bfloat16, float16 or float64 (or nothing).
void check_model_dtype(std::optional<at::ScalarType> dtype);

class UnplacedTensors {
 public:
  // file: begins every error (InputError), which names the tensor.
  UnplacedTensors(NamedTensors tensors, std::string file);

  bool contains(const std::string& name) const { return tensors_.contains(name); }
  // Of a tensor that must be there and hold floating point numbers.
  at::ScalarType dtype_of(const std::string& name) const;
  at::Tensor take(const std::string& name, const Shape& shape);
  // A tensor that the model does not need, if it is there.
  void drop(const std::string& name) { tensors_.erase(name); }
  // A head that config.json ties to the embedding: takes it if it is there, and refuses it where it
  // differs.
  void take_tied(const std::string& name, const at::Tensor& embedding);
  void refuse_rest() const;

  [[noreturn]] void fail(const std::string& name, const std::string& text) const;

 private:
  void check_floating(const std::string& name, const at::Tensor& tensor) const;

  NamedTensors tensors_;
  std::string file_;
};

}  // namespace simba
