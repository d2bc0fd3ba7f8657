// What the two kinds of warps of scan_sm90.cuh hand each other: some steps of a block of
// channels in shared memory, time innermost, so that four steps are one 16-byte load.
#pragma once

#include <cstdint>

#include "kernels/cuda/barrier.cuh"
#include "kernels/cuda/packet.cuh"
#include "kernels/cuda/warp.cuh"
#include "kernels/selective_scan/scan_copies.cuh"

namespace simba::kernels {

// kLaneStates: states of a lane. kChannelLanes: lanes of a channel; N is their product.
// kGroups: warps that hold a block's states. kTurn: steps of a warp's turn. kRotation: warps that
// take turns at each group's time. kElementSets: sets of element warps that take turns at tiles.
// kTile: steps of a stage. kStages: tiles in shared memory. kBlocks: blocks that a multiprocessor
// should hold.
template <int kLaneStates_, int kChannelLanes_, int kGroups_, int kTurn_, int kRotation_,
          int kElementSets_, int kTile_, int kStages_, int kBlocks_>
struct ScanShape {
  static constexpr int kLaneStates = kLaneStates_;
  static constexpr int kChannelLanes = kChannelLanes_;
  static constexpr int kGroups = kGroups_;
  static constexpr int kTurn = kTurn_;
  static constexpr int kRotation = kRotation_;
  static constexpr int kElementSets = kElementSets_;
  static constexpr int kTile = kTile_;
  static constexpr int kStages = kStages_;
  static constexpr int kBlocks = kBlocks_;
  static constexpr bool kUsual = true;  // see ElementLane

  static constexpr int kStates = kLaneStates * kChannelLanes;
  static constexpr int kGroupChannels = kWarpSize / kChannelLanes;
  static constexpr int kChannels = kGroups * kGroupChannels;
  // Every warp of a group has as many turns in each tile.
  static constexpr int kWarpTurns = kTile / (kTurn * kRotation);
  static_assert(kWarpTurns * kTurn * kRotation == kTile && kTile == kWarpSize);
  static_assert(kStages % kElementSets == 0);

  // Element warps move packets of 8 channels, of a step each lane.
  static constexpr int kPacket = 8;
  static constexpr int kPackets = kChannels / kPacket;
  static_assert(kChannels % kPacket == 0);
  static constexpr int kElementWarps = kTile * kPackets / kWarpSize;  // of a set
  static constexpr int kStateWarps = kGroups * kRotation;
  // Tiles whose copies a set of element warps has begun before it needs them, and tiles that it
  // holds: from then until they are finished, kStages later.
  static constexpr int kAhead = 2;
  static constexpr int kCopies = kStages / kElementSets + kAhead;
  // Pieces of 8 states of B and C that an element warp moves per tile.
  static constexpr int kWarpPieces = (2 * kStates / kPacket + kElementWarps - 1) / kElementWarps;
  static constexpr int kThreads = (kStateWarps + kElementSets * kElementWarps) * kWarpSize;

  // Rows are padded by 4 floats: 8 rows at the same steps lie in different banks. Packets are moved
  // apart so that the element warps' lanes, some steps of every packet, meet few conflicts.
  static constexpr int kRow = kTile + 4;
  static constexpr int kGap = kPackets == 1 ? 0 : kPackets == 2 ? 16 : 8;
  static constexpr int kPacketRows = kPacket * kRow + kGap;
};

// The same for inputs that are not as usual.
template <typename Shape>
struct AnyRows : Shape {
  static constexpr bool kUsual = false;
};

template <typename Shape>
struct alignas(16) ScanStage {
  float delta[Shape::kPackets * Shape::kPacketRows];    // softplus and bias applied
  float delta_u[Shape::kPackets * Shape::kPacketRows];  // delta times u
  float y[Shape::kPackets * Shape::kPacketRows];        // C . h
  float B[Shape::kStates][Shape::kRow];
  float C[Shape::kStates][Shape::kRow];  // right behind B

  // Where the steps of a block's channel begin, in delta, delta_u and y.
  __device__ static int row(int channel) {
    return channel / Shape::kPacket * Shape::kPacketRows + channel % Shape::kPacket * Shape::kRow;
  }
};

// A tile as an element warp copied it, every lane its own packets.
template <typename T, typename Shape>
struct ScanCopies {
  CopiedPackets<T, Shape::kUsual> delta, u, z;
  CopiedPackets<T, Shape::kUsual> states[Shape::kWarpPieces];
};

template <typename T, typename Shape>
struct alignas(16) ScanShared {
  ScanStage<Shape> stages[Shape::kStages];
  // h after the last turn of each warp.
  float h[Shape::kGroups][Shape::kRotation][kWarpSize][Shape::kLaneStates];
  ScanCopies<T, Shape> copies[Shape::kElementSets][Shape::kElementWarps][Shape::kCopies];
  float skip[Shape::kChannels];  // D, 0 where absent
  float bias[Shape::kChannels];
  Barrier filled[Shape::kStages];                  // delta, delta_u, B and C of a tile are there
  Barrier scanned[Shape::kStages];                 // they have been read, and y is there
  Barrier sent[Shape::kGroups][Shape::kRotation];  // h of a warp's turn is there
};

}  // namespace simba::kernels
