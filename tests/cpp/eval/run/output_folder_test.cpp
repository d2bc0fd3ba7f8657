#include "eval/run/output_folder.h"

#include "eval/text/read_file.h"
#include "tests/cpp/refusal.h"
#include "tests/cpp/temporary_folder.h"

namespace simba::eval {
namespace {

using test::refuses;
using test::TemporaryFolder;

namespace fs = std::filesystem;

TEST(OutputFolder, WritesWholeFilesAndNothingElse) {
  const TemporaryFolder folder;
  const std::string path = folder / "new/run/";
  {
    const OutputFolder out(path, false);
    out.write("results.json", "first");
    out.write("results.json", "second");
  }
  EXPECT_EQ(read_file(path + "results.json"), "second");
  EXPECT_EQ(std::distance(fs::directory_iterator(path), fs::directory_iterator()), 1);
}

TEST(OutputFolder, ResultsAreReplacedOnlyByForce) {
  const TemporaryFolder folder;
  folder.write("results.json", "old");
  EXPECT_TRUE(refuses("give --force", [&] { OutputFolder(folder.path(), false); }));
  OutputFolder(folder.path(), true).write("results.json", "new");
  EXPECT_EQ(read_file(folder / "results.json"), "new");
}

TEST(OutputFolder, AnUnfinishedRunIsResumedOrReplaced) {
  const TemporaryFolder folder;
  folder.write("journal.jsonl", "");
  EXPECT_TRUE(refuses("give --resume to go on with it, or --force to begin anew",
                      [&] { OutputFolder(folder.path(), false); }));
  EXPECT_TRUE(OutputFolder(folder.path(), false, true).resume());
  EXPECT_FALSE(OutputFolder(folder.path(), true).resume());
}

TEST(OutputFolder, ResultsWithoutAJournalCannotBeResumed) {
  const TemporaryFolder folder;
  folder.write("results.json", "old");
  EXPECT_TRUE(refuses("give --force", [&] { OutputFolder(folder.path(), false, true); }));
  folder.write("journal.jsonl", "");
  OutputFolder(folder.path(), false, true);
}

TEST(OutputFolder, AnUnusedNewFolderGoesAway) {
  const TemporaryFolder folder;
  { const OutputFolder out(folder / "run/", false); }
  EXPECT_FALSE(fs::exists(folder / "run"));
  fs::create_directory(folder / "mine");
  { const OutputFolder out(folder / "mine", false); }
  EXPECT_TRUE(fs::exists(folder / "mine"));
}

TEST(OutputFolder, WhereNothingCanBeWrittenIsRefused) {
  const TemporaryFolder folder;
  const std::string file = folder.write("file", "");
  EXPECT_TRUE(refuses("--out " + file, [&] { OutputFolder(file, false); }));
  EXPECT_TRUE(refuses("cannot be created", [&] { OutputFolder(file + "/below", false); }));
  EXPECT_TRUE(refuses("--out /proc: cannot be written to", [] { OutputFolder("/proc", false); }));
}

}  // namespace
}  // namespace simba::eval
