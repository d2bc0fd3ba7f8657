#include "csrc/checkpoint/unplaced_tensors.h"

#include <sstream>
#include <utility>

#include "csrc/checkpoint/quote.h"
#include "csrc/input_error.h"

namespace simba {
namespace {

std::string to_text(at::IntArrayRef shape) {
  std::ostringstream out;
  out << shape;
  return out.str();
}

bool is_supported(at::ScalarType dtype) {
  return dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kHalf ||
         dtype == at::kDouble;
}

}  // namespace

void check_model_dtype(std::optional<at::ScalarType> dtype) {
  if (!dtype || is_supported(*dtype)) return;
  throw InputError(std::string("dtype: expected float32, bfloat16, float16 or float64, got ") +
                   c10::toString(*dtype));
}

UnplacedTensors::UnplacedTensors(NamedTensors tensors, std::string file)
    : tensors_(std::move(tensors)), file_(std::move(file)) {}

at::ScalarType UnplacedTensors::dtype_of(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) fail(name, "missing");
  check_floating(name, found->second);
  return found->second.scalar_type();
}

at::Tensor UnplacedTensors::take(const std::string& name, const Shape& shape) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) fail(name, "missing, expected shape " + to_text(shape));
  const at::Tensor tensor = found->second;
  if (tensor.sizes() != at::IntArrayRef(shape)) {
    fail(name, "expected shape " + to_text(shape) + ", got " + to_text(tensor.sizes()));
  }
  check_floating(name, tensor);
  tensors_.erase(found);
  return tensor;
}

void UnplacedTensors::take_tied(const std::string& name, const at::Tensor& embedding) {
  if (!contains(name)) return;
  // torch.save writes a tied head too, usually over the embedding's own storage.
  const at::Tensor head = take(name, embedding.sizes().vec());
  const bool same_memory = head.const_data_ptr() == embedding.const_data_ptr() &&
                           head.strides() == embedding.strides() &&
                           head.scalar_type() == embedding.scalar_type();
  if (!same_memory && !(head.scalar_type() == embedding.scalar_type() && head.equal(embedding))) {
    fail(name, "differs from the embedding, but config.json ties the two");
  }
}

void UnplacedTensors::refuse_rest() const {
  if (tensors_.empty()) return;
  fail(tensors_.begin()->first, "unexpected; " + std::to_string(tensors_.size()) +
                                    " tensor(s) in all do not belong to the model of config.json");
}

void UnplacedTensors::fail(const std::string& name, const std::string& text) const {
  throw InputError(file_ + ": tensor " + quote(name) + ": " + text);
}

void UnplacedTensors::check_floating(const std::string& name, const at::Tensor& tensor) const {
  if (!is_supported(tensor.scalar_type())) {
    fail(name, std::string("expected float32, bfloat16, float16 or float64, got ") +
                   c10::toString(tensor.scalar_type()));
  }
}

}  // namespace simba
