#include "csrc/model/pass_memory.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <c10/core/CPUAllocator.h>
#include <gtest/gtest.h>

#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "csrc/model/simba.h"
#include "tests/cpp/model/random_model.h"

namespace simba {
namespace {

constexpr std::int64_t kRow = 1 << 20;  // bytes: of all tokens at the width of d_inner
constexpr std::int64_t kState = kRow / 16;

at::Tensor bytes(std::int64_t count) { return at::empty({count}, at::kByte); }

TEST(PassMemory, LayerTakesThePlacesOfTheLayerBefore) {
  const PassMemory memory(at::kCPU, kRow, kState);
  std::vector<at::Tensor> states;
  std::vector<void*> places;
  for (int layer = 0; layer < 20; ++layer) {
    at::Tensor a = bytes(kRow);
    const at::Tensor b = bytes(2 * kRow);
    void* const place = a.data_ptr();
    a = at::Tensor();
    states.push_back(bytes(kState));  // would take a's place, and keep it
    const at::Tensor c = bytes(kRow / 2);
    const std::vector<void*> own = {place, b.data_ptr(), c.data_ptr()};
    if (layer == 0) places = own;
    EXPECT_EQ(own, places);
  }
}

TEST(PassMemory, TensorsNeverOverlap) {
  const PassMemory memory(at::kCPU, kRow, kState);
  std::vector<at::Tensor> tensors(13);
  std::uint32_t random = 1;
  for (int step = 0; step < 400; ++step) {
    random = random * 1664525u + 1013904223u;
    at::Tensor& slot = tensors[(random >> 8) % tensors.size()];
    if (slot.defined()) {
      EXPECT_TRUE(slot.eq(slot[0]).all().item<bool>()) << step;
      slot = at::Tensor();
    } else {
      slot = at::full({(random >> 4) % (2 * kRow) + 1}, step % 251, at::kByte);
    }
  }
}

// As oneDNN takes its scratch.
TEST(PassMemory, RawMemoryIsFreedWhereverItCameFrom) {
  c10::Allocator* allocator = c10::GetCPUAllocator();
  void* before = allocator->raw_allocate(kRow);
  void* inside = nullptr;
  {
    const PassMemory memory(at::kCPU, kRow, kState);
    inside = allocator->raw_allocate(kRow);
    void* same = inside;
    allocator->raw_deallocate(before);
    allocator->raw_deallocate(inside);
    inside = allocator->raw_allocate(kRow);
    EXPECT_EQ(inside, same);
  }
  allocator->raw_deallocate(inside);
}

TEST(PassMemory, TensorsOutliveThePassAndAreFreedAnywhere) {
  at::Tensor large, small;
  {
    const PassMemory memory(at::kCPU, kRow, kState);
    const at::Tensor below = bytes(kRow);
    large = at::arange(kRow / 8, at::kLong);
    small = at::arange(kRow / 64, at::kLong);
  }
  EXPECT_EQ(large[kRow / 8 - 1].item<std::int64_t>(), kRow / 8 - 1);
  std::thread([taken = std::move(large)]() mutable { taken = at::Tensor(); }).join();
  EXPECT_TRUE(small.equal(at::arange(kRow / 64, at::kLong)));
}

TEST(PassMemory, OthersAreLeftAlone) {
  const PassMemory memory(at::kCPU, kRow, kState);
  const at::Tensor own = bytes(kRow);
  const auto distance = [&own](const at::Tensor& other) {
    return std::abs(static_cast<char*>(other.data_ptr()) - static_cast<char*>(own.data_ptr()));
  };
  const auto room = static_cast<std::ptrdiff_t>(PassMemory::kRows) * kRow;
  at::Tensor of_another_thread;
  std::thread([&] { of_another_thread = bytes(kRow); }).join();
  EXPECT_GE(distance(of_another_thread), room);
  const at::Tensor too_large = at::full({2 * room}, 7, at::kByte);
  EXPECT_GE(distance(too_large), room);
  {
    const PassMemory inner(at::kCPU, kRow, kState);
    EXPECT_GE(distance(bytes(kRow)), room);
  }
  EXPECT_LT(distance(bytes(kRow)), room);
}

TEST(PassMemory, StatesAreNotTouchedByTheNextPass) {
  const MambaConfig config = testing::small_config();
  Simba model = testing::random_model(config, at::kFloat);
  const auto context = [&](std::uint64_t seed) {
    return testing::one_sequence(testing::random_ids(3000, config.vocab_size, seed));
  };
  const Prefill kept = model.prefill(context(1), PruningPlan::dense());
  const std::unique_ptr<State> copy = kept.state->index({0});
  const at::Tensor logits = kept.last_logits.clone();
  model.prefill(context(2), PruningPlan::dense());
  const auto& states = dynamic_cast<const MambaState&>(*kept.state).layers;
  const auto& copies = dynamic_cast<const MambaState&>(*copy).layers;
  for (std::size_t l = 0; l < states.size(); ++l) {
    EXPECT_TRUE(states[l].ssm.equal(copies[l].ssm)) << l;
    EXPECT_TRUE(states[l].conv.equal(copies[l].conv)) << l;
  }
  EXPECT_TRUE(kept.last_logits.equal(logits));
}

}  // namespace
}  // namespace simba
