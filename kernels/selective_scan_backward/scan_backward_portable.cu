// Gradients of the selective scan, any device from sm_75, any N. Four kernels:
//   1. states: a block of 32 x 8 threads takes one sequence and 32 channels (threadIdx.x), and of
//      the states 8 at a time (threadIdx.y): forward once, leaving the state before every tile of
//      kSteps in scratch; then tile by tile backwards: forward through the tile with its states in
//      shared memory, and back with the adjoint. What is a sum over states (y and the two of d(dt)
//      and du) is added over threadIdx.y in shared memory and to scratch; dB and dC are summed over
//      the 32 channels, a block's share to scratch; dA stays in a register.
//   2. channels: per (sequence, channel) along time: du, d delta, dz, and shares of dD, d bias.
//   3. tokens: dB and dC, sums over blocks of channels.   4. parameters: sums over sequences.
// Shared memory: kSteps x 256 + 3 x 256 Acc, 19 KiB for float and double.
#include "kernels/cuda/launch.h"
#include "kernels/cuda/numeric.cuh"
#include "kernels/cuda/slopes.cuh"
#include "kernels/cuda/warp.cuh"
#include "kernels/selective_scan_backward/scan_backward_paths.h"

namespace simba::kernels {
namespace {

constexpr int kChannels = 32;
constexpr int kStates = 8;
constexpr int kThreads = 256;
template <typename Acc>
constexpr int kSteps = 64 / sizeof(Acc);

template <typename T>
struct Scratch {
  using Acc = AccumulateType<T>;

  explicit Scratch(const SelectiveScanBackwardParams<T>& params)
      : channels(params.channels),
        states(params.states),
        tokens(params.batch * params.sequences.length),
        length(params.sequences.length),
        blocks(ceil_div(params.channels, kChannels)),
        count(params.sequences.count),
        tiles(ceil_div(tokens, kSteps<Acc>) + count) {
    sums = params.scratch;
    shares_B = sums + 3 * tokens * channels;
    shares_C = shares_B + blocks * tokens * states;
    shares_A = shares_C + blocks * tokens * states;
    shares_D = shares_A + count * channels * states;
    shares_bias = shares_D + count * channels;
    checkpoints = shares_bias + count * channels;
  }
  std::int64_t size() const {
    return 3 * tokens * channels + 2 * blocks * tokens * states + count * channels * (states + 2) +
           tiles * blocks * kThreads;
  }
  // Of the tiles of sequence s, which begins at `begin`: no two sequences share one.
  __device__ std::int64_t first_tile(std::int64_t batch, std::int64_t begin, std::int64_t s) const {
    return (batch * length + begin) / kSteps<Acc> + s;
  }

  std::int64_t channels, states, tokens, length, blocks, count, tiles;
  Acc* sums;         // (B L, 3, D): over states, of C h, A-part of d(dt), B g
  Acc* shares_B;     // (blocks, B L, N)
  Acc* shares_C;     // (blocks, B L, N)
  Acc* shares_A;     // (S, D, N)
  Acc* shares_D;     // (S, D)
  Acc* shares_bias;  // (S, D)
  Acc* checkpoints;  // (tiles, blocks, threads)
};

// One step of one channel: its inputs, the same for all states.
template <typename Acc>
struct Step {
  Acc dt, dt_u, dy;
};

template <typename T, typename Acc>
__device__ Step<Acc> load_step(const SelectiveScanBackwardParams<T>& params, std::int64_t batch,
                               std::int64_t t, std::int64_t channel, Acc bias) {
  if (channel >= params.channels) return {Acc(0), Acc(0), Acc(0)};
  const Acc delta = to_accumulate(params.delta.row(batch, t)[channel]) + bias;
  const Acc dt = params.delta_softplus ? softplus(delta) : delta;
  Acc dy = to_accumulate(params.grad_out.row(batch, t)[channel]);
  if (params.z) dy *= silu(to_accumulate(params.z.row(batch, t)[channel]));
  return {dt, dt * to_accumulate(params.u.row(batch, t)[channel]), dy};
}

template <typename T>
__global__ void __launch_bounds__(kThreads)
    states_kernel(SelectiveScanBackwardParams<T> params, Scratch<T> scratch) {
  using Acc = AccumulateType<T>;
  constexpr int kTile = kSteps<Acc>;
  __shared__ Acc tile[kTile][kStates][kChannels];  // h before each step
  __shared__ Acc sums[3][kStates][kChannels];
  const int x = threadIdx.x % kChannels, y = threadIdx.x / kChannels;
  const std::int64_t block = blockIdx.x % scratch.blocks, s = blockIdx.x / scratch.blocks;
  const std::int64_t channel = block * kChannels + x, states = params.states;
  const bool exists = channel < params.channels;
  const std::int64_t batch = params.sequences.batch(s), begin = params.sequences.begin(s);
  const std::int64_t end = params.sequences.end(s), row = batch * scratch.length;
  const Acc bias = params.delta_bias && exists ? params.delta_bias[channel] : Acc(0);
  const std::int64_t place = (s * params.channels + channel) * states;
  Acc* checkpoint = scratch.checkpoints +
                    (scratch.first_tile(batch, begin, s) * scratch.blocks + block) * kThreads +
                    threadIdx.x;
  const std::int64_t next_tile = scratch.blocks * kThreads;
  const std::int64_t tiles = (end - begin + kTile - 1) / kTile;

  for (std::int64_t n = y; n - y < states; n += kStates) {
    const bool has_state = exists && n < states;
    const Acc a = has_state ? params.A[channel * states + n] : Acc(0);
    const auto state_of = [&](const T* values) {
      return n < states ? to_accumulate(values[n]) : Acc(0);
    };
    Acc h = has_state && params.initial_state ? params.initial_state[place + n] : Acc(0);
    for (std::int64_t t = begin; t < end; ++t) {
      if ((t - begin) % kTile == 0) checkpoint[(t - begin) / kTile * next_tile] = h;
      const Step<Acc> step = load_step(params, batch, t, channel, bias);
      h = exp(step.dt * a) * h + step.dt_u * state_of(params.B.row(batch, t));
    }

    Acc g = has_state && params.grad_last_state ? params.grad_last_state[place + n] : Acc(0);
    Acc grad_a = 0;
    for (std::int64_t i = tiles - 1; i >= 0; --i) {
      const std::int64_t start = begin + i * kTile;
      const int steps = static_cast<int>(min(end - start, std::int64_t(kTile)));
      h = checkpoint[i * next_tile];
      for (int k = 0; k < steps; ++k) {
        tile[k][y][x] = h;
        const Step<Acc> step = load_step(params, batch, start + k, channel, bias);
        h = exp(step.dt * a) * h + step.dt_u * state_of(params.B.row(batch, start + k));
      }
      for (int k = steps - 1; k >= 0; --k) {
        const std::int64_t t = start + k;
        const Step<Acc> step = load_step(params, batch, t, channel, bias);
        const Acc b = state_of(params.B.row(batch, t)), c = state_of(params.C.row(batch, t));
        const Acc before = tile[k][y][x];
        g += c * step.dy;
        const Acc shared_b = warp_sum(g * step.dt_u), shared_c = warp_sum(h * step.dy);
        if (x == 0 && n < states) {
          scratch.shares_B[(block * scratch.tokens + row + t) * states + n] = shared_b;
          scratch.shares_C[(block * scratch.tokens + row + t) * states + n] = shared_c;
        }
        sums[0][y][x] = c * h;
        sums[2][y][x] = b * g;
        g *= exp(step.dt * a);
        const Acc product = g * before;
        sums[1][y][x] = a * product;
        grad_a += step.dt * product;
        h = before;
        __syncthreads();
        if (y < 3 && exists) {
          Acc sum = 0;
          for (int j = 0; j < kStates; ++j) sum += sums[y][j][x];
          Acc* to = scratch.sums + ((row + t) * 3 + y) * params.channels + channel;
          *to = n - y > 0 ? *to + sum : sum;
        }
        __syncthreads();
      }
    }
    if (has_state) {
      scratch.shares_A[place + n] = grad_a;
      if (params.grad_initial_state) params.grad_initial_state[place + n] = g;
    }
  }
}

template <typename T>
__global__ void __launch_bounds__(kThreads)
    channels_kernel(SelectiveScanBackwardParams<T> params, Scratch<T> scratch) {
  using Acc = AccumulateType<T>;
  const std::int64_t item = std::int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (item >= scratch.count * params.channels) return;
  const std::int64_t s = item / params.channels, channel = item % params.channels;
  const std::int64_t batch = params.sequences.batch(s);
  const Acc bias = params.delta_bias ? params.delta_bias[channel] : Acc(0);
  const Acc skip = params.D ? params.D[channel] : Acc(0);
  Acc grad_d = 0, grad_bias = 0;
  for (std::int64_t t = params.sequences.begin(s); t < params.sequences.end(s); ++t) {
    const Acc* sums = scratch.sums + (batch * scratch.length + t) * 3 * params.channels + channel;
    const Acc u = to_accumulate(params.u.row(batch, t)[channel]);
    const Acc raw = to_accumulate(params.delta.row(batch, t)[channel]) + bias;
    const Step<Acc> step = load_step(params, batch, t, channel, bias);
    const Acc g_b = sums[2 * params.channels];
    const Acc grad_dt = sums[params.channels] + u * g_b;
    const Acc grad_delta = params.delta_softplus ? grad_dt * sigmoid(raw) : grad_dt;
    params.grad_u.row(batch, t)[channel] = round_to<T>(step.dt * g_b + skip * step.dy);
    params.grad_delta.row(batch, t)[channel] = round_to<T>(grad_delta);
    if (params.z) {
      const Acc grad = to_accumulate(params.grad_out.row(batch, t)[channel]);
      const Acc z = to_accumulate(params.z.row(batch, t)[channel]);
      params.grad_z.row(batch, t)[channel] =
          round_to<T>(grad * silu_slope(z) * (sums[0] + skip * u));
    }
    grad_d += step.dy * u;
    grad_bias += grad_delta;
  }
  scratch.shares_D[item] = grad_d;
  scratch.shares_bias[item] = grad_bias;
}

template <typename T>
__global__ void __launch_bounds__(kThreads)
    tokens_kernel(SelectiveScanBackwardParams<T> params, Scratch<T> scratch) {
  using Acc = AccumulateType<T>;
  const std::int64_t size = scratch.tokens * params.states;
  const std::int64_t item = std::int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (item >= size) return;
  Acc b = 0, c = 0;
  for (std::int64_t block = 0; block < scratch.blocks; ++block) {
    b += scratch.shares_B[block * size + item];
    c += scratch.shares_C[block * size + item];
  }
  params.grad_B.data[item] = round_to<T>(b);
  params.grad_C.data[item] = round_to<T>(c);
}

template <typename T>
__global__ void __launch_bounds__(kThreads)
    parameters_kernel(SelectiveScanBackwardParams<T> params, Scratch<T> scratch) {
  using Acc = AccumulateType<T>;
  const std::int64_t item = std::int64_t(blockIdx.x) * kThreads + threadIdx.x;
  const std::int64_t states = params.channels * params.states;
  if (item >= states) return;
  Acc a = 0, d = 0, bias = 0;
  for (std::int64_t s = 0; s < scratch.count; ++s) {
    a += scratch.shares_A[s * states + item];
    if (item < params.channels) {
      d += scratch.shares_D[s * params.channels + item];
      bias += scratch.shares_bias[s * params.channels + item];
    }
  }
  params.grad_A[item] = a;
  if (item < params.channels && params.grad_D) params.grad_D[item] = d;
  if (item < params.channels && params.grad_delta_bias) params.grad_delta_bias[item] = bias;
}

unsigned blocks_of(std::int64_t items) { return static_cast<unsigned>(ceil_div(items, kThreads)); }

}  // namespace

template <typename T>
std::int64_t scan_backward_scratch_portable(const SelectiveScanBackwardParams<T>& params) {
  return Scratch<T>(params).size();
}

template <typename T>
cudaError_t scan_backward_portable(const SelectiveScanBackwardParams<T>& params,
                                   cudaStream_t stream) {
  const Scratch<T> scratch(params);
  const auto blocks = static_cast<unsigned>(scratch.count * scratch.blocks);
  states_kernel<T><<<blocks, kThreads, 0, stream>>>(params, scratch);
  channels_kernel<T>
      <<<blocks_of(scratch.count * params.channels), kThreads, 0, stream>>>(params, scratch);
  tokens_kernel<T>
      <<<blocks_of(scratch.tokens * params.states), kThreads, 0, stream>>>(params, scratch);
  parameters_kernel<T>
      <<<blocks_of(params.channels * params.states), kThreads, 0, stream>>>(params, scratch);
  return cudaGetLastError();
}

#define SIMBA_INSTANTIATE(T)                                                                   \
  template std::int64_t scan_backward_scratch_portable(const SelectiveScanBackwardParams<T>&); \
  template cudaError_t scan_backward_portable(const SelectiveScanBackwardParams<T>&, cudaStream_t);
SIMBA_INSTANTIATE(float)
SIMBA_INSTANTIATE(double)
SIMBA_INSTANTIATE(BFloat16)
SIMBA_INSTANTIATE(Float16)
#undef SIMBA_INSTANTIATE

}  // namespace simba::kernels
