// Which kernel, of scan_sm90.cuh, scan_lone.cuh or scan_pairs.cuh, and which shape a call gets, and
// its launch.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>

#include "kernels/cuda/alignment.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/launch.h"
#include "kernels/selective_scan/scan_lone.cuh"
#include "kernels/selective_scan/scan_pairs.cuh"
#include "kernels/selective_scan/scan_sm90.cuh"
#include "kernels/selective_scan/selective_scan_paths.h"

namespace simba::kernels {

// One sequence per block leaves a multiprocessor's exponential units idle unless warps take turns
// in time (kRotation > 1); where there are blocks enough for several on each multiprocessor, these
// hide one another's waits and taking turns only costs.
//                                lanes' states, channel's lanes, groups, turn, rotation, element
//                                sets, tile, stages, blocks
using ScanOf40 = ScanShape<4, 4, 5, 8, 2, 2, 32, 4, 1>;
using ScanOf32 = ScanShape<4, 4, 4, 8, 2, 2, 32, 4, 1>;
using ScanOf16 = ScanShape<4, 4, 2, 8, 4, 4, 32, 4, 1>;
using ScanOf8 = ScanShape<2, 8, 2, 8, 4, 4, 32, 8, 1>;
using ScanOfMany = ScanShape<4, 4, 4, 8, 1, 1, 32, 2, 3>;
using ScanOf40With8 = ScanShape<2, 4, 5, 8, 2, 1, 32, 4, 1>;
using ScanOfManyWith8 = ScanShape<2, 4, 4, 8, 1, 1, 32, 2, 3>;
using ScanOf40With32 = ScanShape<4, 8, 10, 4, 2, 1, 32, 4, 1>;
using ScanOf32With32 = ScanShape<4, 8, 8, 8, 1, 1, 32, 2, 2>;
using ScanOf16With32 = ScanShape<4, 8, 4, 8, 1, 1, 32, 2, 3>;
using ScanOf8With64 = ScanShape<4, 16, 4, 8, 4, 4, 32, 4, 1>;
using ScanOf16With64 = ScanShape<4, 16, 8, 8, 1, 1, 32, 2, 2>;

template <typename T, int kChannels, int kChannelLanes = 8>
using LoneScanOf = LoneShape<T, kChannels, kChannelLanes, 64>;
template <typename T>
using ScanOfPairs = PairShape<T, 64 / sizeof(T), 5>;

// A block per sequence and `channels` channels.
template <typename T, typename Kernel>
cudaError_t launch_scan_kernel(Kernel kernel, int channels, int threads, int shared,
                               const SelectiveScanParams<T>& params, cudaStream_t stream) {
  const cudaError_t error =
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared);
  if (error != cudaSuccess) return error;
  const std::int64_t blocks =
      params.sequences.count * ceil_div(params.channels, std::int64_t{channels});
  kernel<<<static_cast<unsigned>(blocks), threads, shared, stream>>>(params);
  return cudaGetLastError();
}

template <typename Shape, bool kUsual>
using MovedShape = std::conditional_t<kUsual, Shape, AnyRows<Shape>>;

template <typename T, typename Usual, bool kUsual>
cudaError_t launch_scan(const SelectiveScanParams<T>& params, cudaStream_t stream) {
  using Shape = MovedShape<Usual, kUsual>;
  return launch_scan_kernel(selective_scan_sm90_kernel<T, Shape>, Shape::kChannels, Shape::kThreads,
                            sizeof(ScanShared<T, Shape>), params, stream);
}

template <typename T, typename Shape, bool kGated>
cudaError_t launch_lone(const SelectiveScanParams<T>& params, cudaStream_t stream) {
  return launch_scan_kernel(selective_scan_lone_kernel<T, Shape, kGated>, Shape::kChannels,
                            Shape::kThreads, sizeof(LoneShared<T, Shape>), params, stream);
}

template <typename T, bool kGated>
cudaError_t launch_pairs(const SelectiveScanParams<T>& params, cudaStream_t stream) {
  using Shape = ScanOfPairs<T>;
  return launch_scan_kernel(selective_scan_pairs_kernel<T, Shape, kGated>, Shape::kChannels,
                            Shape::kThreads, sizeof(PairShared<T, Shape>), params, stream);
}

// Bytes of shared memory that a block of a shape may have: as many as on an H100 or a B200.
constexpr std::size_t kMostShared = 227 * 1024;

// Nanoseconds per step of a multiprocessor that holds 1, 2, ... blocks of a shape, up to its limit,
// measured on an H200 in bfloat16 at L = 2048.
struct ScanCost {
  int channels;
  int resident;  // blocks that a multiprocessor holds
  std::array<double, 6> nanoseconds;
};

// A multiprocessor that holds several blocks begins the next as each ends; where it holds one, all
// wait for the last round.
inline double scan_cost(const ScanCost& cost, std::int64_t sequences, std::int64_t channels,
                        int multiprocessors) {
  const std::int64_t blocks = sequences * ceil_div(channels, std::int64_t{cost.channels});
  const std::int64_t most = ceil_div(blocks, std::int64_t{multiprocessors});
  if (cost.resident == 1) return static_cast<double>(most) * cost.nanoseconds[0];
  if (most == 0) return 0;
  if (most <= cost.resident) return cost.nanoseconds[most - 1];
  const double mean = static_cast<double>(blocks) / multiprocessors;
  return mean * cost.nanoseconds[cost.resident - 1] / cost.resident;
}

template <typename T>
struct ScanChoice {
  ScanCost cost;
  cudaError_t (*launch)(const SelectiveScanParams<T>&, cudaStream_t);
};

// Never the cheapest where T or the rows' alignment asks for more shared memory than there is.
template <typename T, typename Shape, bool kUsual>
constexpr ScanChoice<T> choice(int resident, const std::array<double, 6>& nanoseconds) {
  if constexpr (sizeof(ScanShared<T, MovedShape<Shape, kUsual>>) > kMostShared) {
    return {{Shape::kChannels, 1, {std::numeric_limits<double>::infinity()}}, nullptr};
  } else {
    return {{Shape::kChannels, resident, nanoseconds}, launch_scan<T, Shape, kUsual>};
  }
}

template <typename T>
cudaError_t launch_cheapest(std::span<const ScanChoice<T>> choices,
                            const SelectiveScanParams<T>& params, cudaStream_t stream) {
  const int multiprocessors = multiprocessor_count();
  if (multiprocessors == 0) return cudaErrorNoDevice;
  const auto cost = [&](const ScanChoice<T>& choice) {
    return scan_cost(choice.cost, params.sequences.count, params.channels, multiprocessors);
  };
  return std::ranges::min_element(choices, {}, cost)->launch(params, stream);
}

// The times are of calls with z.
template <typename T, bool kGated>
inline constexpr ScanChoice<T> kUsualOf16States[] = {
    {{40, 1, {38.3}}, launch_lone<T, LoneScanOf<T, 40>, kGated>},
    {{32, 1, {30.3}}, launch_lone<T, LoneScanOf<T, 32>, kGated>},
    {{16, 2, {19.8, 32.3}}, launch_lone<T, LoneScanOf<T, 16>, kGated>},
    {{8, 2, {15.1, 23.8}}, launch_lone<T, LoneScanOf<T, 8, 16>, kGated>},
    choice<T, ScanOfMany, true>(3, {41.2, 62.0, 86.4}),
    {{ScanOfPairs<T>::kChannels, 5, {89.1, 115, 168, 208, 252}}, launch_pairs<T, kGated>},
};

// The times are of rows of an odd number of channels.
template <typename T>
inline constexpr ScanChoice<T> kUnusualOf16States[] = {
    choice<T, ScanOf40, false>(1, {56.1}),
    choice<T, ScanOf32, false>(1, {43.0}),
    choice<T, ScanOf16, false>(1, {27.1}),
    choice<T, ScanOf8, false>(1, {20.2}),
    choice<T, ScanOfMany, false>(3, {47.5, 77.0, 108}),
};

template <typename T, bool kUsual>
cudaError_t launch_cheapest_scan(const SelectiveScanParams<T>& params, cudaStream_t stream) {
  static constexpr ScanChoice<T> kOf8States[] = {
      choice<T, ScanOf40With8, kUsual>(1, {34.8}),
      choice<T, ScanOfManyWith8, kUsual>(3, {32.3, 46.5, 62.2}),
  };
  static constexpr ScanChoice<T> kOf32States[] = {
      choice<T, ScanOf40With32, kUsual>(1, {78.1}),
      choice<T, ScanOf32With32, kUsual>(2, {57.6, 99.2}),
      choice<T, ScanOf16With32, kUsual>(3, {42.7, 60.0, 86.4}),
  };
  static constexpr ScanChoice<T> kOf64States[] = {
      choice<T, ScanOf8With64, kUsual>(1, {40.2}),
      choice<T, ScanOf16With64, kUsual>(2, {63.6, 108}),
  };
  const auto cheapest = [&](std::span<const ScanChoice<T>> choices) {
    return launch_cheapest(choices, params, stream);
  };
  switch (params.states) {
    case 8:
      return cheapest(kOf8States);
    case 32:
      return cheapest(kOf32States);
    case 64:
      return cheapest(kOf64States);
    default:
      if constexpr (kUsual) {
        return params.z ? cheapest(kUsualOf16States<T, true>)
                        : cheapest(kUsualOf16States<T, false>);
      } else {
        return cheapest(kUnusualOf16States<T>);
      }
  }
}

template <typename T>
bool fast_path_takes(const SelectiveScanParams<T>& params) {
  const bool states =
      params.states == 8 || params.states == 16 || params.states == 32 || params.states == 64;
  // Steps are counted in 32 bits, some tiles beyond the end.
  constexpr std::int64_t kLongest = std::numeric_limits<int>::max() / 2;
  if (!states || params.sequences.length > kLongest) return false;
  if (device_capability() < 90) return false;
  if (shared_memory_per_block() < static_cast<int>(kMostShared)) return false;
  // Code compiled for less, which a newer device can run too, has an empty body.
  static PerDevice code;
  return code.get([] { return code_capability(selective_scan_sm90_kernel<T, ScanOfMany>); }) >= 90;
}

template <typename T>
cudaError_t selective_scan_fast(const SelectiveScanParams<T>& params, cudaStream_t stream) {
  constexpr int kPacket = 8;
  const bool usual = params.delta_softplus && params.channels % kPacket == 0 &&
                     takes_packets(params.u, kPacket) && takes_packets(params.delta, kPacket) &&
                     takes_packets(params.z, kPacket) && takes_packets(params.out, kPacket) &&
                     takes_packets(params.B, kPacket) && takes_packets(params.C, kPacket);
  return usual ? launch_cheapest_scan<T, true>(params, stream)
               : launch_cheapest_scan<T, false>(params, stream);
}

}  // namespace simba::kernels
