#include "eval/run/shared_units.h"

#include <cstdint>
#include <exception>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "eval/run/interrupt.h"
#include "eval/run/shared_store.h"

namespace simba::eval {
namespace {

using Json = nlohmann::ordered_json;

// Names in the shared store.
constexpr auto kList = "units";      // those to compute
constexpr auto kNext = "next unit";  // how many of the list are taken
constexpr auto kRecords = "records";
constexpr auto kOutcome = "outcome";

// Among the records: from a process that sends no more, and from the first one when it gives up.
constexpr auto kThrough = "through";
constexpr auto kNoMore = "no more";

// More than any run has.
constexpr std::int64_t kAllUnits = std::int64_t{1} << 40;

// Makes everybody find the queue empty.
void stop_taking(SharedStore& store) { store.add(kNext, kAllUnits); }

// Receives the records of all processes, on a thread of its own: a record is safe at once, however
// long the unit takes that this process computes.
class Collector {
 public:
  Collector(Processes& processes, UnitRecords& records)
      : store_(processes.store()),
        incoming_(processes.second_store()),
        open_(processes.count()),
        records_(records),
        thread_([this] { collect(); }) {}

  // Without join() before it, receives what was sent until now.
  ~Collector() {
    if (!thread_.joinable()) return;
    try {
      store_.push(kRecords, Json(kNoMore).dump());
    } catch (const std::exception&) {
      // Then the thread's own connection is broken too, which ends it.
    }
    thread_.join();
  }

  // Returns when every process has said that it sends no more.
  void join() {
    thread_.join();
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void collect() {
    try {
      while (open_ > 0) {
        const Json message = Json::parse(incoming_.pop(kRecords));
        if (message == kNoMore) {
          open_ = 0;
        } else if (message == kThrough) {
          --open_;
        } else if (!failure_) {
          keep(message);
        }
      }
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  void keep(const Json& message) {
    try {
      records_.keep(message.at("unit").get<std::size_t>(), message.at("record"));
    } catch (...) {
      failure_ = std::current_exception();
      stop_taking(incoming_);
    }
  }

  SharedStore& store_;
  SharedStore& incoming_;
  int open_;  // processes that may still send
  UnitRecords& records_;
  std::exception_ptr failure_;
  std::thread thread_;
};

void work(SharedStore& store, const std::function<Json(std::size_t unit)>& compute) {
  const Json list = Json::parse(store.read(kList));
  while (true) {
    if (interrupt_requested()) stop_taking(store);
    const auto taken = static_cast<std::size_t>(store.add(kNext, 1) - 1);
    if (taken >= list.size()) break;
    const auto unit = list[taken].get<std::size_t>();
    store.push(kRecords, Json({{"unit", unit}, {"record", compute(unit)}}).dump());
  }
  store.push(kRecords, Json(kThrough).dump());
}

}  // namespace

bool share_units(Processes& processes, UnitRecords& records,
                 const std::function<Json(std::size_t unit)>& compute) {
  SharedStore& store = processes.store();
  if (!processes.is_first()) {
    work(store, compute);
    return Json::parse(store.read(kOutcome)).get<bool>();
  }
  store.write(kList, Json(records.left()).dump());
  Collector collector(processes, records);
  work(store, compute);
  collector.join();
  store.write(kOutcome, Json(records.complete()).dump());
  return records.complete();
}

}  // namespace simba::eval
