// A Capture (csrc/model/cuda_graph.h) that needs no GPU: it runs the body twice, as a capture does,
// and replays by running it again.
#pragma once

#include "csrc/model/cuda_graph.h"

namespace simba::testing {

struct CaptureCounts {
  int captures = 0;
  int replays = 0;
};

inline Capture fake_capture(CaptureCounts& counts) {
  return [&counts](c10::Device, const std::function<void()>& body) {
    ++counts.captures;
    body();
    body();
    return std::function<void()>([&counts, body] {
      ++counts.replays;
      body();
    });
  };
}

}  // namespace simba::testing
