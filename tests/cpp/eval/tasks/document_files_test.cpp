#include "eval/tasks/document_files.h"

#include <gtest/gtest.h>

#include "eval/tasks/clean_up.h"
#include "eval/tasks/example.h"
#include "tests/cpp/eval/tasks/task_files.h"
#include "tests/cpp/refusal.h"

namespace simba::eval {
namespace {

using test::document;
using test::refuses;
using test::task;
using test::TemporaryFolder;

DocumentSource source(std::vector<std::string> files, std::string labels = "") {
  DocumentSource source;
  source.files = std::move(files);
  source.labels = std::move(labels);
  return source;
}

TEST(DocumentFiles, TheFirstFileThatIsThere) {
  const TemporaryFolder folder;
  folder.write("b/x.jsonl", "{\"a\": 1}\n{\"a\": 2}");
  folder.write("c.jsonl", "{\"a\": 3}\r\n");
  const auto read =
      read_documents({source({"a.jsonl", "b/x.jsonl"}), source({"c.jsonl"})}, folder.path(), "t");
  ASSERT_EQ(read.documents.size(), 2u);
  EXPECT_EQ(read.documents[1].text("a"), "2");
  EXPECT_EQ(read.documents[1].where, folder / "b/x.jsonl:2");
  EXPECT_EQ(read.files.front().name, "x.jsonl");
  const auto other = read_documents({source({"a.jsonl"}), source({"c.jsonl"})}, folder.path(), "t");
  EXPECT_EQ(other.documents.front().text("a"), "3");
  EXPECT_TRUE(refuses("task t expects one of a.jsonl, z.jsonl, found none", [&] {
    read_documents({source({"a.jsonl", "z.jsonl"})}, folder.path(), "t");
  }));
  EXPECT_TRUE(refuses("--data /nowhere: expected a folder",
                      [&] { read_documents({source({"a"})}, "/nowhere", "t"); }));
}

TEST(DocumentFiles, LabelsBesideIt) {
  const TemporaryFolder folder;
  folder.write("d/x.jsonl", "{\"a\": 1}\n{\"a\": 2}\n");
  folder.write("d/x.lst", "0\n1\n");
  const auto read = read_documents({source({"d/x.jsonl"}, "x.lst")}, folder.path(), "t");
  EXPECT_EQ(read.documents[1].text("label"), "1");
  EXPECT_EQ(read.files.size(), 2u);
  folder.write("d/x.lst", "0\n");
  EXPECT_TRUE(refuses("x.lst: expected a label for each of 2 documents, got 1 lines", [&] {
    read_documents({source({"d/x.jsonl"}, "x.lst")}, folder.path(), "t");
  }));
}

TEST(DocumentFiles, NamesTheWrongLine) {
  const TemporaryFolder folder;
  const auto read = [&] { read_documents({source({"x.jsonl"})}, folder.path(), "t"); };
  folder.write("x.jsonl", "{\"a\": 1}\n{\"a\": \"\xC3\"}\n");
  EXPECT_TRUE(refuses("x.jsonl:2: ", read));
  folder.write("x.jsonl", "{\"a\": 1}\n\n{\"a\": 1}\n");
  EXPECT_TRUE(refuses("x.jsonl:2: invalid JSON", read));
  folder.write("x.jsonl", "");
  EXPECT_TRUE(refuses("x.jsonl: expected JSON lines, got an empty file", read));
}

TEST(DocumentFiles, BlankLinesAtTheEndAreNoDocuments) {
  const TemporaryFolder folder;
  folder.write("x.jsonl", "{\"a\": 1}\n{\"a\": 2}\n\n \r\n");
  folder.write("x.lst", "0\n1\n\n");
  const auto read = read_documents({source({"x.jsonl"}, "x.lst")}, folder.path(), "t");
  EXPECT_EQ(read.documents.size(), 2u);
}

TEST(DocumentFiles, ANulEndsNoLine) {
  const TemporaryFolder folder;
  folder.write("x.jsonl", std::string("{\"a\": 1}\0 rest\n", 15));
  EXPECT_TRUE(refuses("x.jsonl:1: invalid JSON at byte 9 of the line",
                      [&] { read_documents({source({"x.jsonl"})}, folder.path(), "t"); }));
}

TEST(DocumentFiles, KeepsSomeDocuments) {
  const TemporaryFolder folder;
  folder.write("x.jsonl", "{\"s\": \"in\"}\n{\"s\": \"out\"}\n{\"s\": \"in\"}\n");
  DocumentSource kept = source({"x.jsonl"});
  kept.keep_field = "s";
  kept.keep_values = {"in", "also"};
  const auto read = read_documents({kept}, folder.path(), "t");
  ASSERT_EQ(read.documents.size(), 2u);
  EXPECT_EQ(read.documents[1].where, folder / "x.jsonl:3");
  kept.keep_values = {"none"};
  EXPECT_TRUE(
      refuses("has s among the values", [&] { read_documents({kept}, folder.path(), "t"); }));
}

TEST(CleanUp, HellaswagMarkersAndCapitals) {
  Document raw = document(
      R"({"activity_label": "Health", "ctx_a": "[header] How [title] to  rest [substeps] now.",
          "ctx_b": "then HE \u00c9TE", "label": 1,
          "endings": ["[title] Go. [step] Do it.", " plain ", "a [x\ny] b [z", "[a[b]c] d"]})");
  clean_up("hellaswag", raw);
  // Every expected text is what lm-evaluation-harness's own preprocessing gives.
  EXPECT_EQ(raw.text("query"), "Health: How. to rest now. Then he \u00e9te");
  EXPECT_EQ(raw.list("choices"),
            (std::vector<std::string>{" Go. Do it.", "plain", "a [x\ny] b [z", "c] d"}));
  EXPECT_EQ(raw.text("gold"), "1");
}

TEST(Example, LabelsInEveryForm) {
  const auto gold = [](const std::string& form, const std::string& label) {
    std::string text = test::kChoicesTask;
    text.replace(text.find("form = \"index\""), 14, form);
    return make_example(task(text), document(R"({"question": "q", "options": ["x", "y"],
        "keys": ["3", "4"], "answer": )" + label +
                                             "}"))
        .gold;
  };
  EXPECT_EQ(gold("form = \"index\"", "1"), 1u);
  EXPECT_EQ(gold("form = \"number\"", "\"2\""), 1u);
  EXPECT_EQ(gold("form = \"letter\"", "\"B\""), 1u);
  EXPECT_EQ(gold("form = \"key\"\nkeys = \"keys\"", "\"4\""), 1u);
  EXPECT_TRUE(refuses("docs.jsonl:1: answer: expected 0 to 1, got '2'",
                      [&] { gold("form = \"index\"", "2"); }));
  EXPECT_TRUE(
      refuses("answer: expected 0 to 1, got '-1'", [&] { gold("form = \"index\"", "-1"); }));
  EXPECT_TRUE(refuses("answer: expected 1 to 2, got '0'", [&] { gold("form = \"number\"", "0"); }));
  EXPECT_TRUE(
      refuses("answer: expected A to B, got 'C'", [&] { gold("form = \"letter\"", "\"C\""); }));
  EXPECT_TRUE(refuses("answer: expected one of '3, 4', got 'A'",
                      [&] { gold("form = \"key\"\nkeys = \"keys\"", "\"A\""); }));
}

TEST(Example, RefusesEmptyChoices) {
  const TaskConfig config = task(test::kChoicesTask);
  EXPECT_TRUE(refuses("docs.jsonl:1: expected choices, found none", [&] {
    make_example(config, document(R"({"question": "q", "options": [], "answer": 0})"));
  }));
  EXPECT_TRUE(refuses("docs.jsonl:1: expected a text as choice 1, got an empty one", [&] {
    make_example(config, document(R"({"question": "q", "options": ["x", ""], "answer": 0})"));
  }));
  EXPECT_TRUE(refuses("expected a field 'options'", [&] {
    make_example(config, document(R"({"question": "q", "answer": 0})"));
  }));
}

}  // namespace
}  // namespace simba::eval
