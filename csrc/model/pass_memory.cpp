#include "csrc/model/pass_memory.h"

#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace simba {
namespace {

constexpr std::size_t kPage = 4096;
// Below this, malloc does well.
constexpr std::size_t kLeastBytes = 16 * 1024;

std::size_t whole_pages(std::size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

}  // namespace

// A range of addresses, which parts of it are free and which are taken. The functions that change
// it are called under the lock of all regions.
class PassMemory::Region {
 public:
  // Null where the system refuses that much address space.
  static Region* reserve(std::size_t bytes, std::size_t state_bytes) {
    bytes = whole_pages(bytes);
    void* base = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) return nullptr;
    const std::lock_guard lock(mutex());
    all().push_back(
        std::unique_ptr<Region>(new Region(static_cast<char*>(base), bytes, state_bytes)));
    return all().back().get();
  }
  ~Region() { ::munmap(base_, size_); }
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  // Null where no gap is large enough.
  void* take(std::size_t bytes) {
    const std::lock_guard lock(mutex());
    const bool low = bytes > state_bytes_;
    bytes = whole_pages(bytes);
    if (low) {
      for (auto gap = gaps_.begin(); gap != gaps_.end(); ++gap) {
        if (gap->second >= bytes) return take_from(gap, 0, bytes);
      }
    } else {
      for (auto gap = gaps_.rbegin(); gap != gaps_.rend(); ++gap) {
        if (gap->second >= bytes) {
          return take_from(std::prev(gap.base()), gap->second - bytes, bytes);
        }
      }
    }
    return nullptr;
  }

  // False where no region holds `data`.
  static bool give_back(void* data) {
    const std::lock_guard lock(mutex());
    for (const std::unique_ptr<Region>& region : all()) {
      const auto place = static_cast<std::size_t>(static_cast<char*>(data) - region->base_);
      if (place >= region->size_) continue;
      region->free_at(place);
      remove_if_done(region.get());
      return true;
    }
    return false;
  }

  // From now on no page is held that no tensor lies in.
  void end_pass() {
    const std::lock_guard lock(mutex());
    pass_is_over_ = true;
    for (const auto& [begin, bytes] : gaps_) ::madvise(base_ + begin, bytes, MADV_DONTNEED);
    remove_if_done(this);
  }

 private:
  using Parts = std::map<std::size_t, std::size_t>;  // begin -> bytes

  Region(char* base, std::size_t size, std::size_t state_bytes)
      : base_(base), size_(size), state_bytes_(state_bytes), gaps_{{0, size}} {}

  // Never destroyed: tensors may outlive every static object.
  static std::mutex& mutex() {
    static auto* mutex = new std::mutex;
    return *mutex;
  }
  static std::vector<std::unique_ptr<Region>>& all() {
    static auto* regions = new std::vector<std::unique_ptr<Region>>;
    return *regions;
  }

  static void remove_if_done(const Region* region) {
    if (!region->pass_is_over_ || !region->taken_.empty()) return;
    std::erase_if(all(), [&](const auto& other) { return other.get() == region; });
  }

  // bytes of the gap, `skipped` after its begin: at one of its ends.
  void* take_from(Parts::iterator gap, std::size_t skipped, std::size_t bytes) {
    const auto [begin, size] = *gap;
    gaps_.erase(gap);
    if (skipped > 0) gaps_.emplace(begin, skipped);
    if (skipped + bytes < size) gaps_.emplace(begin + skipped + bytes, size - skipped - bytes);
    taken_.emplace(begin + skipped, bytes);
    return base_ + begin + skipped;
  }

  void free_at(std::size_t place) {
    const auto part = taken_.find(place);
    const std::size_t bytes = part->second;
    taken_.erase(part);
    if (pass_is_over_) ::madvise(base_ + place, bytes, MADV_DONTNEED);
    auto gap = gaps_.emplace(place, bytes).first;
    const auto next = std::next(gap);
    if (next != gaps_.end() && gap->first + gap->second == next->first) {
      gap->second += next->second;
      gaps_.erase(next);
    }
    if (gap == gaps_.begin()) return;
    const auto previous = std::prev(gap);
    if (previous->first + previous->second == gap->first) {
      previous->second += gap->second;
      gaps_.erase(gap);
    }
  }

  char* base_;
  std::size_t size_, state_bytes_;
  Parts gaps_, taken_;
  bool pass_is_over_ = false;
};

// torch's own allocator, and for a thread inside of a pass its region.
class PassMemory::Allocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    if (current_ != nullptr && bytes >= kLeastBytes) {
      if (void* data = current_->take(bytes)) {
        return {data, data, &release, c10::Device(c10::DeviceType::CPU)};
      }
    }
    return own_->allocate(bytes);
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    own_->copy_data(to, from, bytes);
  }

  // Puts itself before torch's allocator, at the first pass on a CPU: a process without one keeps
  // torch's. Only where that frees what it allocated by the address alone, as raw memory is freed.
  static bool installed() {
    static const bool installed = install();
    return installed;
  }

 private:
  static bool install() {
    own_ = c10::GetCPUAllocator();
    if (own_->raw_deleter() == nullptr) return false;
    auto* allocator = new Allocator;  // never destroyed either
    c10::SetCPUAllocator(allocator);
    return c10::GetCPUAllocator() == allocator;
  }

  static void release(void* data) {
    if (data != nullptr && !Region::give_back(data)) own_->raw_deleter()(data);
  }

  static inline c10::Allocator* own_ = nullptr;
};

thread_local PassMemory::Region* PassMemory::current_ = nullptr;

PassMemory::PassMemory(c10::Device device, std::size_t row_bytes, std::size_t state_bytes)
    : outer_(current_) {
  if (!device.is_cpu() || row_bytes < kLeastBytes || !Allocator::installed()) return;
  region_ = Region::reserve(kRows * row_bytes, state_bytes);
  if (region_ != nullptr) current_ = region_;
}

PassMemory::~PassMemory() {
  if (region_ == nullptr) return;
  current_ = outer_;
  region_->end_pass();
}

}  // namespace simba
