// The element warps of scan_sm90.cuh: everything that is done once per step and channel.
// Before the state warps: dt = softplus(delta + bias) and dt u, and B and C as float. After them:
// out = (y + D u) silu(z).
#pragma once

#include "kernels/cuda/async_copy.cuh"
#include "kernels/cuda/fast_math.cuh"
#include "kernels/cuda/packet.cuh"
#include "kernels/selective_scan/scan_stage.cuh"
#include "kernels/selective_scan/selective_scan.h"

namespace simba::kernels {

// What one lane of an element warp moves per tile: one step of 8 channels, and one step of some
// pieces of 8 states. Copies of the tiles to come run while it computes. Each lane reads only what
// it has copied itself, so they need no barrier. Shape::kUsual: softplus is asked for and every row
// can be moved in packets; otherwise that is looked at when it runs.
template <typename T, typename Shape>
class ElementLane {
 public:
  // set, warp: of the set.
  __device__ ElementLane(const SelectiveScanParams<T>& params, ScanShared<T, Shape>& shared,
                         int set, int warp, std::int64_t batch, std::int64_t begin, int length,
                         std::int64_t first_channel)
      : params_(params), shared_(shared), set_(set), warp_(warp) {
    // Neighbouring lanes take a row's packets: coalesced.
    const int item = warp * kWarpSize + lane();
    const int step = item / Shape::kPackets;
    block_channel_ = item % Shape::kPackets * Shape::kPacket;
    row_ = ScanStage<Shape>::row(block_channel_) + step;
    const std::int64_t channel = first_channel + block_channel_;
    left_ = static_cast<int>(
        max(std::int64_t{0}, min(params.channels - channel, std::int64_t{Shape::kPacket})));
    const int first = set * Shape::kTile;
    to_copy_ = to_fill_ = to_finish_ = left_ > 0 ? length - first - step : 0;
    const std::int64_t position = begin + first + step;
    delta_ = params.delta.row(batch, position) + channel;
    u_ = params.u.row(batch, position) + channel;
    z_ = has_z() ? params.z.row(batch, position) + channel : nullptr;
    out_ = params.out.row(batch, position) + channel;
    delta_skipped_ = skipped_bytes(params.delta, delta_);
    u_skipped_ = skipped_bytes(params.u, u_);
    z_skipped_ = skipped_bytes(params.z, z_);
    // For states, a lane is a step: no two lanes of a warp write to one bank.
    states_to_copy_ = length - first - lane();
#pragma unroll
    for (int i = 0; i < kWarpPieces; ++i) {
      const int piece = warp + i * Shape::kElementWarps;
      const Rows<const T>& rows = piece < kPieces ? params.B : params.C;
      states_[i] = rows.row(batch, begin + first + lane()) + piece % kPieces * Shape::kPacket;
      states_stride_[i] = kSteps * rows.row_stride;
      states_skipped_[i] = skipped_bytes(rows, states_[i]);
    }
  }

  // Begins to copy the set's next tile into slot `slot`.
  __device__ void copy(int slot) {
    ScanCopies<T, Shape>& to = copies(slot);
    const int left = to_copy_ > 0 ? left_ : 0;
    to.delta.copy(delta_, left, delta_skipped_, to_copy_ == 1);
    to.u.copy(u_, left, u_skipped_, to_copy_ == 1);
    if (has_z()) to.z.copy(z_, left, z_skipped_, to_copy_ == 1);
#pragma unroll
    for (int i = 0; i < kWarpPieces; ++i) {
      if (!has_piece(i)) break;
      to.states[i].copy(states_[i], states_to_copy_ > 0 ? Shape::kPacket : 0, states_skipped_[i],
                        states_to_copy_ == 1);
      states_[i] += states_stride_[i];
    }
    close_async_copies();
    delta_ += kSteps * params_.delta.row_stride;
    u_ += kSteps * params_.u.row_stride;
    if (has_z()) z_ += kSteps * params_.z.row_stride;
    to_copy_ -= kSteps;
    states_to_copy_ -= kSteps;
  }

  // Steps that are not there leave every state as it is.
  __device__ void fill(ScanStage<Shape>& stage, int slot) {
    const ScanCopies<T, Shape>& from = copies(slot);
    const bool exists = to_fill_ > 0;
    to_fill_ -= kSteps;
    float delta[8], u[8];
    unpack(from.delta.packet(delta_skipped_), delta);
    unpack(from.u.packet(u_skipped_), u);
    if (kUsual || params_.delta_softplus) {
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        delta[i] = fast_softplus(delta[i] + shared_.bias[block_channel_ + i]);
      }
    } else {
#pragma unroll
      for (int i = 0; i < 8; ++i) delta[i] += shared_.bias[block_channel_ + i];
    }
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      stage.delta[row_ + i * Shape::kRow] = exists ? delta[i] : 0;
      stage.delta_u[row_ + i * Shape::kRow] = exists ? delta[i] * u[i] : 0;
    }
#pragma unroll
    for (int i = 0; i < kWarpPieces; ++i) {
      if (!has_piece(i)) break;
      float values[8];
      unpack(from.states[i].packet(states_skipped_[i]), values);
      // C follows B.
      float* rows = &stage.B[0][0] +
                    (warp_ + i * Shape::kElementWarps) * (Shape::kPacket * Shape::kRow) + lane();
#pragma unroll
      for (int n = 0; n < 8; ++n) rows[n * Shape::kRow] = values[n];
    }
  }

  __device__ void finish(const ScanStage<Shape>& stage, int slot) {
    const bool exists = to_finish_ > 0;
    to_finish_ -= kSteps;
    T* to = out_;
    out_ += kSteps * params_.out.row_stride;
    if (!exists) return;
    const ScanCopies<T, Shape>& from = copies(slot);
    float u[8], out[8];
    unpack(from.u.packet(u_skipped_), u);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      out[i] = fmaf(shared_.skip[block_channel_ + i], u[i], stage.y[row_ + i * Shape::kRow]);
    }
    if (has_z()) {
      float z[8];
      unpack(from.z.packet(z_skipped_), z);
#pragma unroll
      for (int i = 0; i < 8; ++i) out[i] *= fast_silu<T>(z[i]);
    }
    const Packet<T, 8> packet = pack<T>(out);
    if (kUsual) {
      store_packet(packet, to);
    } else {
      store_elements(packet, to, left_);
    }
  }

 private:
  static constexpr bool kUsual = Shape::kUsual;
  static constexpr int kPieces = Shape::kStates / Shape::kPacket;  // of B, and as many of C
  static constexpr int kWarpPieces = Shape::kWarpPieces;
  static constexpr int kSteps =
      Shape::kTile * Shape::kElementSets;  // from a set's tile to its next

  __device__ static int lane() { return threadIdx.x % kWarpSize; }
  __device__ bool has_piece(int i) const { return warp_ + i * Shape::kElementWarps < 2 * kPieces; }
  __device__ bool has_z() const { return static_cast<bool>(params_.z); }

  __device__ ScanCopies<T, Shape>& copies(int slot) const {
    return shared_.copies[set_][warp_][slot];
  }

  const SelectiveScanParams<T>& params_;
  ScanShared<T, Shape>& shared_;
  const int set_, warp_;
  int block_channel_, row_;
  int left_;  // channels from this lane's first to the row's end, at most a packet
  // Steps from this lane's of the next tile to the sequence's end: none left, nothing to move.
  int to_copy_, to_fill_, to_finish_, states_to_copy_;
  const T *delta_, *u_, *z_;
  const T* states_[kWarpPieces];
  std::int64_t states_stride_[kWarpPieces];
  // An even number of rows lies between a lane's tiles, so they all begin at the same bytes of a
  // word.
  static_assert(kSteps % 2 == 0);
  int delta_skipped_, u_skipped_, z_skipped_, states_skipped_[kWarpPieces];
  T* out_;
};

// The tiles set, set + kElementSets, ...: a stage always meets the same set.
template <typename T, typename Shape>
__device__ void run_elements(ElementLane<T, Shape>& lane, ScanShared<T, Shape>& shared, int set,
                             int tiles) {
  constexpr int kStages = Shape::kStages;
  constexpr int kSlots = Shape::kCopies;
  int copy_slot = 0, fill_slot = 0, finish_slot = 0;
  const auto next = [](int& slot) {
    const int now = slot;
    slot = slot + 1 == kSlots ? 0 : slot + 1;
    return now;
  };
#pragma unroll
  for (int ahead = 0; ahead < Shape::kAhead; ++ahead) lane.copy(next(copy_slot));
  int index = set;
  unsigned phase = 0;
  for (int tile = set; tile < tiles + kStages; tile += Shape::kElementSets) {
    ScanStage<Shape>& stage = shared.stages[index];
    if (tile >= kStages) {
      shared.scanned[index].wait(phase - 1);
      lane.finish(stage, next(finish_slot));
    }
    if (tile < tiles) {
      lane.copy(next(copy_slot));
      wait_for_async_copies<Shape::kAhead>();
      lane.fill(stage, next(fill_slot));
      shared.filled[index].arrive_warp();
    }
    index += Shape::kElementSets;
    if (index >= kStages) {
      index -= kStages;
      ++phase;
    }
  }
}

}  // namespace simba::kernels
