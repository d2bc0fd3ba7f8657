#include "eval/run/journal.h"

#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <vector>

#include "eval/text/read_file.h"
#include "tests/cpp/refusal.h"
#include "tests/cpp/temporary_folder.h"

namespace {

int flock_error = 0;  // what flock fails with, where it is not 0

}  // namespace

// In the place of the C library's: file systems without locks are rare.
extern "C" int flock(int file, int operation) noexcept {
  if (flock_error == 0) return static_cast<int>(::syscall(SYS_flock, file, operation));
  errno = flock_error;
  return -1;
}

namespace simba::eval {
namespace {

using Json = nlohmann::ordered_json;
using test::refuses;
using test::TemporaryFolder;

namespace fs = std::filesystem;

constexpr std::size_t kUnits = 4;

Json settings(int score = 8) { return {{"model", {{"sha256", "ab"}}}, {"score", score}}; }

Json record(std::size_t unit) { return {{"nll", {0.1 * static_cast<double>(unit), -0.0, 1e-300}}}; }

// A journal with the header, two units and the end.
std::string small_journal(const TemporaryFolder& folder) {
  {
    const OutputFolder out(folder.path(), /*force=*/true);
    Journal journal(out, settings(), kUnits);
    journal.append(2, record(2));
    journal.append(0, record(0));
    journal.finish("abc");
  }
  return read_file(folder / "journal.jsonl");
}

// The units that a resumed run finds, after which the file must hold whole lines alone.
std::vector<std::size_t> resumed_units(const TemporaryFolder& folder, const std::string& bytes,
                                       const Json& now = settings(), std::size_t units = kUnits) {
  folder.write("journal.jsonl", bytes);
  const OutputFolder out(folder.path(), false, /*resume=*/true);
  const Journal journal(out, now, units);
  std::vector<std::size_t> found;
  for (const auto& [unit, read] : journal.records()) {
    EXPECT_EQ(read.dump(), record(unit).dump());
    found.push_back(unit);
  }
  const std::string text = read_file(folder / "journal.jsonl");
  EXPECT_EQ(text.back(), '\n');
  return found;
}

std::size_t lines_of(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(Journal, GoesOnAfterEveryTruncation) {
  const TemporaryFolder folder;
  const std::string whole = small_journal(folder);
  ASSERT_EQ(lines_of(whole), 4u);
  const std::vector<std::vector<std::size_t>> units_after_lines = {{}, {}, {2}, {0, 2}, {0, 2}};
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);
    EXPECT_EQ(resumed_units(folder, cut), units_after_lines[lines_of(cut)]) << size;
  }
}

TEST(Journal, ATornLineIsCutOffAndWrittenAnew) {
  const TemporaryFolder folder;
  const std::string whole = small_journal(folder);
  const std::size_t second_record = whole.find("{\"check", whole.find("\"unit\":2"));
  folder.write("journal.jsonl", whole.substr(0, second_record + 30));
  {
    const OutputFolder out(folder.path(), false, true);
    Journal journal(out, settings(), kUnits);
    EXPECT_EQ(journal.records().size(), 1u);
    EXPECT_EQ(journal.finished(), "");
    journal.append(0, record(0));
    journal.finish("abc");
  }
  EXPECT_EQ(read_file(folder / "journal.jsonl"), whole);
}

TEST(Journal, EveryFlippedByteIsRefused) {
  const TemporaryFolder folder;
  const std::string whole = small_journal(folder);
  // The last newline alone is more than damage: without it the line counts as cut off.
  for (std::size_t at = 0; at + 1 < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    const std::string line = std::to_string(1 + lines_of(whole.substr(0, at)));
    EXPECT_TRUE(refuses("journal.jsonl:" + line + ": ", [&] { resumed_units(folder, damaged); }))
        << at;
    EXPECT_EQ(read_file(folder / "journal.jsonl"), damaged);
  }
  std::string torn = whole;
  torn.back() = 'x';
  EXPECT_EQ(resumed_units(folder, torn).size(), 2u);
}

TEST(Journal, LinesThatDoNotFitTogetherAreRefused) {
  const TemporaryFolder folder;
  const std::string whole = small_journal(folder);
  const std::size_t first = whole.find('\n') + 1;
  const std::size_t second = whole.find('\n', first) + 1;
  const std::string header = whole.substr(0, first);
  const std::string unit_2 = whole.substr(first, second - first);
  EXPECT_TRUE(refuses("journal.jsonl:3: unit 2 is there twice",
                      [&] { resumed_units(folder, header + unit_2 + unit_2); }));
  EXPECT_TRUE(refuses("journal.jsonl:1:", [&] { resumed_units(folder, unit_2); }));
  EXPECT_TRUE(refuses("journal.jsonl:5: expected no unit after the end of the run",
                      [&] { resumed_units(folder, whole + unit_2); }));
  EXPECT_TRUE(refuses("journal.jsonl:2:", [&] { resumed_units(folder, header + "\n" + unit_2); }));
  EXPECT_TRUE(refuses("expected a journal", [&] { resumed_units(folder, "shopping list"); }));
}

TEST(Journal, UnitsOutOfRangeAreRefused) {
  const TemporaryFolder folder;
  {
    const OutputFolder out(folder.path(), true);
    Journal journal(out, settings(), kUnits);
    journal.append(kUnits, record(kUnits));
  }
  EXPECT_TRUE(refuses("journal.jsonl:2: expected a unit below 4, got 4",
                      [&] { resumed_units(folder, read_file(folder / "journal.jsonl")); }));
}

TEST(Journal, OtherSettingsAreRefusedByName) {
  const TemporaryFolder folder;
  const std::string whole = small_journal(folder);
  EXPECT_TRUE(
      refuses("score: 8 then, 16 now", [&] { resumed_units(folder, whole, settings(16)); }));
  Json changed = settings();
  changed["model"]["sha256"] = "cd";
  EXPECT_TRUE(refuses(R"(model.sha256: "ab" then, "cd" now)",
                      [&] { resumed_units(folder, whole, changed); }));
  EXPECT_TRUE(
      refuses("units: 4 then, 5 now", [&] { resumed_units(folder, whole, settings(), 5); }));
  EXPECT_EQ(read_file(folder / "journal.jsonl"), whole);
}

TEST(Journal, KeepsOtherRunsOut) {
  const TemporaryFolder folder;
  const OutputFolder out(folder.path(), true);
  const Journal journal(out, settings(), kUnits);
  const OutputFolder again(folder.path(), false, true);
  EXPECT_TRUE(refuses("another run is writing this folder",
                      [&] { const Journal second(again, settings(), kUnits); }));
  const OutputFolder by_force(folder.path(), true);
  EXPECT_TRUE(refuses("another run is writing this folder",
                      [&] { const Journal second(by_force, settings(), kUnits); }));
}

TEST(Journal, AFolderThatCannotBeLockedIsNoOtherRun) {
  const TemporaryFolder folder;
  const OutputFolder out(folder.path(), true);
  std::string message;
  flock_error = ENOLCK;
  try {
    const Journal journal(out, settings(), kUnits);
  } catch (const std::runtime_error& error) {
    message = error.what();
  }
  flock_error = 0;
  EXPECT_EQ(message, out.journal_path() + ": cannot be locked: No locks available");
}

TEST(Journal, WithoutARecordNothingIsLeft) {
  const TemporaryFolder folder;
  {
    const OutputFolder out(folder / "new", false);
    const Journal journal(out, settings(), kUnits);
    EXPECT_TRUE(fs::exists(journal.path()));
  }
  EXPECT_FALSE(fs::exists(folder / "new"));
}

TEST(Journal, ForceBeginsAnew) {
  const TemporaryFolder folder;
  small_journal(folder);
  const OutputFolder out(folder.path(), true);
  Journal journal(out, settings(99), kUnits);
  EXPECT_TRUE(journal.records().empty());
  journal.append(1, record(1));
  EXPECT_EQ(lines_of(read_file(journal.path())), 2u);
}

TEST(Journal, ForceTakesTheOldResultsAway) {
  const TemporaryFolder folder;
  folder.write("results.json", "old");
  folder.write("run.json", "old");
  const OutputFolder out(folder.path(), true);
  EXPECT_TRUE(fs::exists(out.path("results.json")));
  const Journal journal(out, settings(), kUnits);
  EXPECT_FALSE(fs::exists(out.path("results.json")));
  EXPECT_FALSE(fs::exists(out.path("run.json")));
}

}  // namespace
}  // namespace simba::eval
