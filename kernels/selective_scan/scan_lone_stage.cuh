// What the two kinds of warps of scan_lone.cuh hand each other in shared memory: tiles as they were
// copied, and as they were prepared, time innermost, so that four steps are one 16-byte load.
#pragma once

#include "kernels/cuda/barrier.cuh"
#include "kernels/cuda/packet.cuh"
#include "kernels/cuda/warp.cuh"

namespace simba::kernels {

// kChannelLanes: of a scan warp, lanes that share a channel's states. kTile: steps that are handed
// over at a time.
template <typename T, int kChannels_, int kChannelLanes_, int kTile_>
struct LoneShape {
  static constexpr int kChannels = kChannels_;
  static constexpr int kChannelLanes = kChannelLanes_;
  static constexpr int kTile = kTile_;
  static constexpr int kStates = 16;
  static constexpr int kLaneStates = kStates / kChannelLanes;
  static constexpr int kWarpChannels = kWarpSize / kChannelLanes;
  static constexpr int kScanWarps = kChannels / kWarpChannels;
  static constexpr int kElementWarps = 4;
  static constexpr int kElementThreads = kElementWarps * kWarpSize;
  // Warp w runs on scheduler w % 4. Where the scan warps leave two schedulers with one warp less,
  // the element warps go there, and the warps between them have nothing to do.
  static constexpr bool kUneven = kScanWarps % 4 == 2;
  static_assert(kUneven || kScanWarps % 4 == 0);
  static constexpr int kThreads = (kScanWarps + kElementWarps + (kUneven ? 2 : 0)) * kWarpSize;
  static constexpr int kInputs = 4;  // tiles as copied
  static constexpr int kStages = 2;  // tiles as prepared

  static constexpr int kWide = kWideElements<T>;
  // The lanes of a warp read 8 steps of 4 channels at a time: different banks.
  static constexpr int kInputRow = kChannels % 16 == 8 ? kChannels : kChannels + 8;
  // 8 rows of floats at the same steps lie in different banks.
  static constexpr int kRow = kTile + 4;

  // Element warps take 2 channels and 4 steps a lane.
  static constexpr int kUnits = kChannels / 2 * (kTile / 4);
  static constexpr int kUnitRounds = kUnits / kWarpSize;
  static_assert(kUnitRounds * kWarpSize == kUnits && kChannels % 8 == 0 && kTile % 32 == 0);
};

template <typename T, typename Shape>
struct LoneInputs {
  T delta[Shape::kTile][Shape::kInputRow];
  T u[Shape::kTile][Shape::kInputRow];
  T out[Shape::kTile][Shape::kInputRow];      // z before, if there is one
  T states[2][Shape::kTile][Shape::kStates];  // B, then C
};

template <typename Shape>
struct LoneStage {
  float delta[Shape::kChannels][Shape::kRow];
  float delta_u[Shape::kChannels][Shape::kRow];
  float states[2][Shape::kStates][Shape::kRow];  // B, then C
};

template <typename T, typename Shape>
struct alignas(16) LoneShared {
  LoneInputs<T, Shape> inputs[Shape::kInputs];
  LoneStage<Shape> stages[Shape::kStages];
  Barrier filled[Shape::kStages];
  Barrier scanned[Shape::kStages];
};

}  // namespace simba::kernels
