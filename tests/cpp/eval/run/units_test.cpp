// Units alone, resumed from a journal, and shared among processes (threads here; the program itself
// in tests/python/eval/test_processes.py).
#include "eval/run/units.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "eval/run/exact_number.h"
#include "eval/run/journal.h"
#include "eval/run/processes.h"
#include "tests/cpp/eval/run/free_port.h"
#include "tests/cpp/temporary_folder.h"

namespace simba::eval {
namespace {

using Json = nlohmann::ordered_json;
using test::TemporaryFolder;

constexpr std::size_t kCount = 40;

Json record_of(std::size_t unit) {
  return {{"unit", unit}, {"root", exact_number(std::sqrt(static_cast<double>(unit)))}};
}

std::vector<Json> all_records() {
  std::vector<Json> records;
  for (std::size_t unit = 0; unit < kCount; ++unit) records.push_back(record_of(unit));
  return records;
}

Units counting_units(std::atomic<int>& computed) {
  return {kCount,
          [&computed](std::size_t unit, const OnUnitStep& on_step) {
            on_step(0, "step");
            ++computed;
            return record_of(unit);
          },
          [](std::size_t unit) { return "unit " + std::to_string(unit); },
          [](std::size_t) { return 1.0; }};
}

TEST(Units, AloneAndWithoutAJournal) {
  std::atomic<int> computed = 0;
  Processes alone{ProcessPlace()};
  EXPECT_EQ(run_units(counting_units(computed), nullptr, alone), all_records());
  EXPECT_EQ(computed, kCount);
}

TEST(Units, WhatTheJournalHoldsIsNotComputedAgain) {
  const TemporaryFolder folder;
  {
    const OutputFolder out(folder.path(), false);
    Journal journal(out, Json::object(), kCount);
    for (const std::size_t unit : {7u, 3u, 39u}) journal.append(unit, record_of(unit));
  }
  for (const int expected : {37, 0}) {
    const OutputFolder out(folder.path(), false, true);
    Journal journal(out, Json::object(), kCount);
    std::atomic<int> computed = 0;
    Processes alone{ProcessPlace()};
    EXPECT_EQ(run_units(counting_units(computed), &journal, alone), all_records());
    EXPECT_EQ(computed, expected);
  }
}

TEST(Units, AFailureKeepsWhatWasFinished) {
  const TemporaryFolder folder;
  const OutputFolder out(folder.path(), false);
  Journal journal(out, Json::object(), kCount);
  std::atomic<int> computed = 0;
  Units units = counting_units(computed);
  units.compute = [](std::size_t unit, const OnUnitStep&) {
    if (unit == 5) throw std::runtime_error("out of memory");
    return record_of(unit);
  };
  Processes alone{ProcessPlace()};
  EXPECT_THROW(run_units(units, &journal, alone), std::runtime_error);
  EXPECT_EQ(journal.records().size(), 5u);
}

TEST(Units, ARecordThatJsonCannotHoldShowsAtOnce) {
  std::atomic<int> computed = 0;
  Units units = counting_units(computed);
  units.compute = [](std::size_t, const OnUnitStep&) { return Json(std::nan("")); };
  Processes alone{ProcessPlace()};
  // As after a resume: a bare NaN is null.
  EXPECT_TRUE(run_units(units, nullptr, alone).at(0).is_null());
}

TEST(Units, ProcessesShareThemOut) {
  const TemporaryFolder folder;
  const OutputFolder out(folder.path(), false);
  Journal journal(out, Json::object(), kCount);
  journal.append(11, record_of(11));
  const std::uint16_t port = free_port();
  constexpr int kProcesses = 3;
  std::vector<std::atomic<int>> computed(kProcesses);
  std::vector<std::vector<Json>> records(kProcesses);
  std::atomic<int> at_work = 0;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < kProcesses; ++rank) {
    threads.emplace_back([&, rank] {
      const auto r = static_cast<std::size_t>(rank);
      Processes processes({.rank = rank, .count = kProcesses, .host = "127.0.0.1", .port = port});
      processes.agree({{"score", 8}});
      Units units = counting_units(computed[r]);
      units.compute = [&, r](std::size_t unit, const OnUnitStep&) {
        // Nobody finishes a unit before everybody has one.
        if (computed[r]++ == 0) ++at_work;
        while (at_work < kProcesses) std::this_thread::yield();
        return record_of(unit);
      };
      records[r] = run_units(units, rank == 0 ? &journal : nullptr, processes);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(records[0], all_records());
  EXPECT_TRUE(records[1].empty() && records[2].empty());
  EXPECT_EQ(computed[0] + computed[1] + computed[2], 39);
  EXPECT_EQ(journal.records().size(), kCount);
}

}  // namespace
}  // namespace simba::eval
