// Memory for the activations of one pass over the layers on a CPU.
#pragma once

#include <c10/core/Device.h>

#include <cstddef>

namespace simba {

// While it lives, the CPU tensors that this thread makes lie in one region of address space, each
// in the lowest gap that holds it: a layer's activations take the places of the layer's before, so
// a pass touches the pages of one layer, once. malloc keeps the states that every layer leaves
// behind between them, and either asks the system for new pages at every layer or holds several
// times as much. Tensors no larger than a layer's state gather at the region's other end.
//
// A tensor may outlive it and is freed anywhere; when it ends, all other pages go back to the
// system. What does not fit, and everything where torch has been given an allocator of higher
// priority, comes from torch's own allocator, as do all other threads' tensors. On a GPU it does
// nothing.
class PassMemory {
 public:
  // row_bytes: of all tokens at the width of d_inner, in the model's type; the region has room for
  // kRows of them, about twice what a layer needs. state_bytes: of a layer's largest state.
  PassMemory(c10::Device device, std::size_t row_bytes, std::size_t state_bytes);
  ~PassMemory();
  PassMemory(const PassMemory&) = delete;
  PassMemory& operator=(const PassMemory&) = delete;

  static constexpr std::size_t kRows = 16;

 private:
  class Region;
  class Allocator;
  static thread_local Region* current_;

  Region* region_ = nullptr;
  Region* outer_ = nullptr;
};

}  // namespace simba
