// Times of CUDA launches, and the memory bandwidth to hold them against.
#pragma once

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace simba::kernels {

inline void require(cudaError_t error) {
  if (error != cudaSuccess) {
    throw std::runtime_error(std::string("CUDA error: ") + cudaGetErrorString(error));
  }
}

// Microseconds that one launch takes on the current device: `launch` is captured `launches` times
// into one CUDA graph, the graph is replayed `repeats` times after three replays to warm up, and
// the median replay is divided by `launches`. A launch that uses the next of several sets of
// buffers at every call keeps its inputs out of the second-level cache.
inline double median_us(const std::function<void(cudaStream_t)>& launch, int launches = 10,
                        int repeats = 20) {
  constexpr int kWarmUps = 3;
  cudaStream_t stream = nullptr;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t replayable = nullptr;
  cudaEvent_t begin = nullptr, end = nullptr;
  require(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  require(cudaEventCreate(&begin));
  require(cudaEventCreate(&end));
  // Fills of the buffers were enqueued on other streams.
  require(cudaDeviceSynchronize());

  require(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  for (int i = 0; i < launches; ++i) launch(stream);
  require(cudaStreamEndCapture(stream, &graph));
  require(cudaGraphInstantiate(&replayable, graph, 0));

  std::vector<double> times;
  for (int i = 0; i < kWarmUps + repeats; ++i) {
    require(cudaEventRecord(begin, stream));
    require(cudaGraphLaunch(replayable, stream));
    require(cudaEventRecord(end, stream));
    require(cudaEventSynchronize(end));
    float milliseconds = 0;
    require(cudaEventElapsedTime(&milliseconds, begin, end));
    if (i >= kWarmUps) times.push_back(1e3 * milliseconds / launches);
  }
  require(cudaGraphExecDestroy(replayable));
  require(cudaGraphDestroy(graph));
  require(cudaEventDestroy(begin));
  require(cudaEventDestroy(end));
  require(cudaStreamDestroy(stream));

  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

// Bytes per second, read and written counted both, of copying 1 GiB within the current device's
// memory.
inline double measured_copy_bandwidth() {
  constexpr std::size_t kBytes = std::size_t{1} << 30;
  void* from = nullptr;
  void* to = nullptr;
  require(cudaMalloc(&from, kBytes));
  require(cudaMalloc(&to, kBytes));
  require(cudaMemset(from, 0x5a, kBytes));
  const double microseconds = median_us(
      [&](cudaStream_t stream) {
        require(cudaMemcpyAsync(to, from, kBytes, cudaMemcpyDeviceToDevice, stream));
      },
      /*launches=*/4);
  require(cudaFree(from));
  require(cudaFree(to));
  return 2 * static_cast<double>(kBytes) / (microseconds * 1e-6);
}

}  // namespace simba::kernels
