#include "eval/tasks/template.h"

#include <gtest/gtest.h>

#include "tests/cpp/eval/tasks/task_files.h"
#include "tests/cpp/refusal.h"

namespace simba::eval {
namespace {

using test::document;
using test::refuses;

std::string rendered(const std::string& text, const std::string& json) {
  return Template::parse(text, "t.toml:3").render(document(json));
}

TEST(Template, FieldsBetweenLiterals) {
  EXPECT_EQ(rendered("Question: {q.stem}\nAnswer:", R"({"q": {"stem": "why?"}})"),
            "Question: why?\nAnswer:");
  EXPECT_EQ(rendered("", R"({})"), "");
  EXPECT_EQ(rendered("{{{a}}}", R"({"a": 7})"), "{7}");
  EXPECT_EQ(rendered("{a}{a}", R"({"a": "{b}"})"), "{b}{b}");
}

TEST(Template, CutsAtTheFirstAndAtTheLast) {
  const std::string json = R"({"s": "a _ b _ c"})";
  EXPECT_EQ(rendered("{s|before('_')}", json), "a ");
  EXPECT_EQ(rendered("{s|after('_')}", json), " b _ c");
  EXPECT_EQ(rendered("{s|before_last('_')}", json), "a _ b ");
  EXPECT_EQ(rendered("{s|after_last('_')}", json), " c");
  EXPECT_EQ(rendered("{s|after('_')|before_last('_')|strip}", json), "b");
  EXPECT_EQ(rendered("{s|after('|')}", R"({"s": "a|}b"})"), "}b");
  EXPECT_EQ(rendered("{s|after('}')}", R"({"s": "a|}b"})"), "b");
}

TEST(Template, CutsWhereThereIsNothingToCutAt) {
  EXPECT_EQ(rendered("{s|before_last(' ')}", R"({"s": "one"})"), "");
  EXPECT_EQ(rendered("{s|after_last(' ')}", R"({"s": "one"})"), "one");
  EXPECT_TRUE(refuses("docs.jsonl:1: expected a '_' in 'one'",
                      [] { rendered("{s|after('_')}", R"({"s": "one"})"); }));
}

TEST(Template, StripsAsPythonDoes) {
  EXPECT_EQ(rendered("{s|strip}", R"({"s": "\u001c\u00a0\n x\u200b \u0085\u3000"})"),
            "x\xE2\x80\x8B");
  EXPECT_EQ(rendered("{s|strip}", R"({"s": " \n "})"), "");
}

TEST(Template, RefusesWhatItDoesNotKnow) {
  for (const char* text : {"{a", "a}", "{}", "{a b}", "{a|}", "{a|upper}", "{a|before(x)}",
                           "{a|before('')}", "{a|strip('x')}", "{{a}"}) {
    EXPECT_TRUE(refuses("t.toml:3: ", [text] { Template::parse(text, "t.toml:3"); })) << text;
  }
}

TEST(Template, NamesTheMissingField) {
  EXPECT_TRUE(refuses("docs.jsonl:1: expected a field 'q', found 'a'",
                      [] { rendered("{q}", R"({"a": "x", "q": null})"); }));
  EXPECT_TRUE(refuses("expected field 'q' to be a text, got a list",
                      [] { rendered("{q}", R"({"q": ["x"]})"); }));
}

TEST(Document, ListsOfObjectsAreListsOfFields) {
  const Document parsed =
      document(R"({"c": [{"text": "x", "label": "A"}, {"text": "y"}], "n": [1, true, "z"]})");
  EXPECT_EQ(parsed.list("c[].text"), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(parsed.list("n"), (std::vector<std::string>{"1", "true", "z"}));
  // Not every element has a label.
  EXPECT_TRUE(refuses("'c[].label'", [&] { parsed.list("c[].label"); }));
}

TEST(Document, RefusesWhatIsNoObjectInUtf8) {
  EXPECT_TRUE(refuses("docs.jsonl:1: ", [] { document("{\"a\": \"\xFF\"}"); }));
  EXPECT_TRUE(refuses("docs.jsonl:1: invalid JSON at byte", [] { document("{\"a\": "); }));
  EXPECT_TRUE(refuses("docs.jsonl:1: invalid JSON", [] { document(R"({"a": "\ud800"})"); }));
  EXPECT_TRUE(refuses("docs.jsonl:1: expected a JSON object, got array", [] { document("[1]"); }));
  EXPECT_TRUE(refuses("docs.jsonl:1: ", [] { document(""); }));
  std::string deep = "1";
  for (int i = 0; i < 40; ++i) deep = R"({"a": )" + deep + "}";
  EXPECT_TRUE(refuses("at most 16 levels", [&] { document(deep); }));
}

}  // namespace
}  // namespace simba::eval
