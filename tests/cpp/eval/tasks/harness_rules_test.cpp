// The rules of lm-evaluation-harness (0.4.13), one by one, on made-up documents: the six benchmarks
// have no row with an empty, blank-ended or over-long context (rule 9).
#include <gtest/gtest.h>

#include <cmath>

#include "eval/tasks/encoding.h"
#include "eval/tasks/few_shot.h"
#include "eval/tasks/metrics.h"
#include "eval/tasks/requests.h"
#include "tests/cpp/eval/tasks/task_files.h"
#include "tests/cpp/refusal.h"

namespace simba::eval {
namespace {

using test::document;
using test::refuses;
using test::task;
using Ids = std::vector<std::int64_t>;

constexpr std::int64_t kLong = 100;

// One id per byte, except that "ab" is one id (200) and '^' is the document start.
class PairTokenizer final : public Tokenizer {
 public:
  Ids encode(std::string_view text) const override {
    Ids ids;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text.substr(i, 2) == "ab") {
        ids.push_back(200);
        ++i;
      } else {
        ids.push_back(text[i] == '^' ? document_start() : static_cast<unsigned char>(text[i]));
      }
    }
    return ids;
  }
  std::string decode(const Ids&) const override { return ""; }
  std::int64_t vocab_size() const override { return 256; }
  std::int64_t document_start() const override { return 1; }
  std::string piece(std::int64_t) const override { return "?"; }
};

EncodedRequest encoded(const std::string& context, const std::string& continuation,
                       std::int64_t max_length = kLong) {
  return encode_request(PairTokenizer(), {context, continuation}, max_length);
}

TEST(HarnessRule1, TrailingWhiteSpaceMovesToTheContinuation) {
  const EncodedRequest request = encoded("Q: \n", "x");
  EXPECT_EQ(request.context, (Ids{'Q', ':'}));
  EXPECT_EQ(request.continuation, (Ids{' ', '\n', 'x'}));
}

TEST(HarnessRule1, WhiteSpaceIsWhatPythonTakesForIt) {
  for (const char* space : {"\xC2\xA0", "\xC2\x85", "\x1C", "\x1F", "\xE3\x80\x80", "\t\r"}) {
    EXPECT_EQ(encoded(std::string("Q") + space, "x").context, (Ids{'Q'})) << space;
  }
  // U+200B is none.
  EXPECT_EQ(encoded("Q\xE2\x80\x8B", "x").context.size(), 4u);
}

TEST(HarnessRule1, TheContinuationIsWhatTheWholeHasBeyondTheContext) {
  // tok("xa") = x a, tok("xab") = x 200: the context is no prefix of the whole, and is fed as it
  // is; the whole has no ids beyond its two.
  EXPECT_TRUE(
      refuses("expected a continuation with tokens of its own", [] { encoded("xa", "b"); }));
  const EncodedRequest request = encoded("xa", "bcd");
  EXPECT_EQ(request.context, (Ids{'x', 'a'}));
  EXPECT_EQ(request.continuation, (Ids{'c', 'd'}));
}

TEST(HarnessRule2, AnEmptyContextIsOneDocumentStart) {
  const EncodedRequest request = encoded("", "xy");
  EXPECT_EQ(request.context, (Ids{1}));
  EXPECT_EQ(request.continuation, (Ids{'x', 'y'}));
}

TEST(HarnessRule2, AContinuationThatBeginsWithTheDocumentStartIsItsOwnContext) {
  const EncodedRequest request = encoded("", "^xy");
  EXPECT_EQ(request.context, (Ids{1}));
  EXPECT_EQ(request.continuation, (Ids{'x', 'y'}));
  EXPECT_TRUE(refuses("expected a continuation with tokens", [] { encoded("", "^"); }));
}

TEST(HarnessRule2, AContextOfWhiteSpaceAloneIsNotEmpty) {
  EXPECT_TRUE(refuses("expected a context with tokens, got white space alone",
                      [] { encoded(" \n\xC2\xA0", "x"); }));
}

TEST(HarnessRule3, TheLastMaxLengthPlusOneIdsAreKept) {
  const EncodedRequest fits = encoded("123456", "78", 7);
  EXPECT_EQ(fits.context, (Ids{'1', '2', '3', '4', '5', '6'}));
  const EncodedRequest cut = encoded("123456", "78", 6);
  EXPECT_EQ(cut.context, (Ids{'2', '3', '4', '5', '6'}));
  EXPECT_EQ(cut.continuation, (Ids{'7', '8'}));
  const EncodedRequest least = encoded("123456", "78", 2);
  EXPECT_EQ(least.context, (Ids{'6'}));
  EXPECT_TRUE(
      refuses("at most 1 tokens (--max-length), got 2", [] { encoded("123456", "78", 1); }));
}

Example choices_example(const std::vector<std::string>& choices, std::size_t gold) {
  Example example;
  example.choices = choices;
  example.gold = gold;
  return example;
}

std::vector<ContinuationScore> scored(const std::vector<double>& likelihoods) {
  std::vector<ContinuationScore> scores;
  for (const double value : likelihoods) scores.push_back({value, false});
  return scores;
}

TEST(HarnessRule4, AccNormDividesByCodePointsAndAccBytesByBytes) {
  // "ééé": 3 code points, 6 bytes.
  const Example example = choices_example({"\u00e9\u00e9\u00e9", "abcd"}, 0);
  const auto scores = scored({-6.1, -6.0});
  EXPECT_EQ(predicted_choice(Metric::kAcc, example, scores), 1u);
  EXPECT_EQ(predicted_choice(Metric::kAccNorm, example, scores), 1u);   // -2.03, -1.5
  EXPECT_EQ(predicted_choice(Metric::kAccBytes, example, scores), 0u);  // -1.02, -1.5
}

TEST(HarnessRule4, ALeadingBlankCountsAndNothingIsStripped) {
  const Example example = choices_example({" x", "y"}, 0);
  EXPECT_EQ(predicted_choice(Metric::kAccNorm, example, scored({-3.9, -2})), 0u);  // -1.95, -2
  const TaskConfig config = task(test::kChoicesTask);
  const Example blank =
      make_example(config, document(R"({"question": "q", "options": [" x", "y "], "answer": 0})"));
  const std::vector<Request> requests = make_requests(config, blank, "");
  EXPECT_EQ(requests[0].continuation, "  x");
  EXPECT_EQ(requests[1].continuation, " y ");
  EXPECT_EQ(requests[0].context, "Q: q\nA:");
}

TEST(HarnessRule4, TiesGoToTheFirst) {
  const Example example = choices_example({"aa", "b", "cc"}, 0);
  EXPECT_EQ(predicted_choice(Metric::kAcc, example, scored({-2, -2, -2})), 0u);
  EXPECT_EQ(predicted_choice(Metric::kAccNorm, example, scored({-4, -2, -4})), 0u);
  const double nan = std::nan("");
  EXPECT_EQ(predicted_choice(Metric::kAcc, example, scored({-2, nan, -1})), 1u);
}

TEST(HarnessRule5, LambadaSplitsAtTheLastBlankOnly) {
  const TaskConfig config = task(test::kTargetTask);
  const Example example = make_example(config, document(R"({"text": "one  two\nthree"})"));
  const std::vector<Request> requests = make_requests(config, example, "");
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].context, "one ");
  EXPECT_EQ(requests[0].continuation, " two\nthree");
  const Example single = make_example(config, document(R"({"text": "word"})"));
  EXPECT_EQ(make_requests(config, single, "")[0].context, "");
  EXPECT_EQ(make_requests(config, single, "")[0].continuation, " word");
}

TEST(HarnessRule5, LambadaIsGreedyAndItsPerplexityIsPerDocument) {
  const TaskConfig config = task(test::kTargetTask);
  const Example example = make_example(config, document(R"({"text": "a b"})"));
  EXPECT_EQ(document_value(Metric::kAcc, config, example, {{-9, true}}), 1);
  EXPECT_EQ(document_value(Metric::kAcc, config, example, {{-0.1, false}}), 0);
  const MetricValue value = summarize_metric(Metric::kPerplexity, {-1, -3});
  EXPECT_DOUBLE_EQ(value.value, std::exp(2.0));
  // The mean's standard error is 1.
  EXPECT_DOUBLE_EQ(value.standard_error.value(), std::exp(2.0));
}

TEST(HarnessRule6, WinograndeFillsTheContextAndSharesTheContinuation) {
  const TaskConfig config = task(test::kContextsTask);
  const Example example =
      make_example(config, document(R"({"s": "Ann fed _ because _ sat. ", "one": "Bo", "two": "Cy",
                           "answer": "2"})"));
  const std::vector<Request> requests = make_requests(config, example, "P");
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].context, "PAnn fed Bo");
  EXPECT_EQ(requests[1].context, "PAnn fed Cy");
  EXPECT_EQ(requests[0].continuation, " because _ sat.");
  EXPECT_EQ(requests[1].continuation, " because _ sat.");
  EXPECT_EQ(example.gold, 1u);
}

DocumentFile pool(const std::string& name, const std::vector<std::string>& lines) {
  DocumentFile file;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    file.documents.push_back(parse_document(lines[i], name + ":" + std::to_string(i + 1)));
  }
  file.files = {{name, ""}};
  return file;
}

DocumentFile colours() {
  return pool("examples.jsonl",
              {R"({"question": "sky", "options": ["blue", "red"], "answer": 0})",
               R"({"question": "sun", "options": ["black", "gold"], "answer": 1})",
               R"({"question": "sea", "options": ["grey"], "answer": 0})"});
}

TEST(HarnessRule7, AnsweredExamplesThenTheBareQuestion) {
  const TaskConfig config = task(test::kChoicesTask);
  const Example question =
      make_example(config, document(R"({"question": "tar", "options": ["x"], "answer": 0})"));
  const FewShot few_shot(config, colours(), 2, Sampling::kFirstN, 0);
  const std::string prefix = few_shot.prefix(question, 0);
  EXPECT_EQ(prefix, "Q: sky\nA: blue\n\nQ: sun\nA: gold\n\n");
  EXPECT_EQ(make_requests(config, question, prefix)[0].context,
            "Q: sky\nA: blue\n\nQ: sun\nA: gold\n\nQ: tar\nA:");
  EXPECT_EQ(FewShot().prefix(question, 0), "");
  const FewShot too_many(config, colours(), 4, Sampling::kFirstN, 0);
  EXPECT_TRUE(refuses("--shots: expected at most 3", [&] { too_many.prefix(question, 0); }));
}

TEST(HarnessRule7, AnExampleOfContextsShowsTheRightOne) {
  const TaskConfig config = task(test::kContextsTask);
  const DocumentFile file = pool("examples.jsonl", {R"({"s": "It is _ who sat.", "one": "Bo",
      "two": "Cy", "answer": 2})"});
  const Example question =
      make_example(config, document(R"({"s": "_ x", "one": "a", "two": "b", "answer": 1})"));
  EXPECT_EQ(FewShot(config, file, 1, Sampling::kFirstN, 0).prefix(question, 0),
            "It is Cy who sat.\n\n");
}

TEST(HarnessRule7, ATargetsOwnBlankFollowsTheDelimiter) {
  const TaskConfig config = task(test::kTargetTask);
  const DocumentFile file = pool("words.jsonl", {R"({"text": "a b"})", R"({"text": "c d"})"});
  const Example first = make_example(config, file.documents[0]);
  const Example other = make_example(config, document(R"({"text": "x y"})"));
  const FewShot few_shot(config, file, 1, Sampling::kFirstN, 0);
  EXPECT_EQ(few_shot.prefix(other, 1), "a  b\n\n");
  // A document is no example of its own.
  EXPECT_EQ(few_shot.prefix(first, 0), "c  d\n\n");
}

TEST(HarnessRule7, SeededExamplesDependOnSeedAndDocumentAlone) {
  const TaskConfig config = task(test::kChoicesTask);
  std::vector<std::string> lines;
  for (int i = 0; i < 30; ++i) {
    lines.push_back(R"({"question": "q)" + std::to_string(i) +
                    R"(", "options": ["x"], "answer": 0})");
  }
  const DocumentFile file = pool("examples.jsonl", lines);
  const Example question = make_example(config, document(lines[0]));
  const FewShot seeded(config, file, 3, Sampling::kSeeded, 5);
  const FewShot again(config, file, 3, Sampling::kSeeded, 5);
  const FewShot other(config, file, 3, Sampling::kSeeded, 6);
  EXPECT_EQ(seeded.prefix(question, 4), again.prefix(question, 4));
  EXPECT_NE(seeded.prefix(question, 4), seeded.prefix(question, 5));
  EXPECT_NE(seeded.prefix(question, 4), other.prefix(question, 4));
}

TEST(HarnessRule8, SentencePieceEncodesItsOwnWay) {
  const std::string path = std::string(SIMBA_SOURCE_DIR) + "/examples/demo/model/tokenizer.model";
  const auto tokenizer = load_tokenizer(path);
  EXPECT_TRUE(tokenizer->encode("").empty());
  // A dummy blank is put before the text, so its own blank is a second one.
  EXPECT_NE(tokenizer->encode(" a"), tokenizer->encode("a"));
  EXPECT_EQ(tokenizer->encode("\xE2\x96\x81"
                              "a"),
            tokenizer->encode(" a"));
  EXPECT_EQ(tokenizer->encode("</s>").front() == tokenizer->document_start(), false);
  // Hence an empty context, which only the document start can stand for, and a continuation with
  // two blanks in front.
  const EncodedRequest request = encode_request(*tokenizer, {"", " the sea"}, kLong);
  EXPECT_EQ(request.context, (Ids{tokenizer->document_start()}));
  EXPECT_EQ(request.continuation, tokenizer->encode(" the sea"));
}

}  // namespace
}  // namespace simba::eval
