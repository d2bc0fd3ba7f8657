// Work on a GPU recorded once as a CUDA graph and launched again as a whole.
#pragma once

#include <c10/core/Device.h>

#include <functional>
#include <memory>
#include <utility>

namespace simba {

// Runs `body` on `device` twice, to warm up and to record it, and returns what launches the
// recorded work again on the current stream. Tensors that body reads and writes keep their
// addresses: whoever replays keeps them alive, and copies what it wants to keep before the next
// replay.
using Capture =
    std::function<std::function<void()>(c10::Device device, const std::function<void()>& body)>;

// Whether this build captures: it was made with CUDA and against a LibTorch that has it.
bool can_capture();

// A Capture whose graphs share one pool of memory for what they compute on the way, so they must be
// launched one after the other (on one stream). Throws InputError where !can_capture(). In body,
// nothing may wait for the device or copy from pageable memory (device_constants.h).
Capture cuda_capture();

}  // namespace simba
