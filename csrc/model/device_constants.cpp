#include "csrc/model/device_constants.h"

namespace simba {
namespace {

thread_local DeviceConstants* current_constants = nullptr;

}  // namespace

at::Tensor DeviceConstants::find_or_copy(const at::Tensor& host, at::Device device) {
  std::string key = device.str() + " " + c10::toString(host.scalar_type()) + " ";
  key.append(static_cast<const char*>(host.const_data_ptr()), host.nbytes());
  const auto found = tensors_.find(key);
  if (found != tensors_.end()) return found->second;
  const at::Tensor there = device.is_cpu() ? host : host.to(device);
  tensors_.emplace(std::move(key), there);
  return there;
}

DeviceConstants* DeviceConstants::current() { return current_constants; }

DeviceConstants::Scope::Scope(DeviceConstants& constants) : outer_(current_constants) {
  current_constants = &constants;
}

DeviceConstants::Scope::~Scope() { current_constants = outer_; }

}  // namespace simba
