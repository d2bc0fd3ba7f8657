// How fast tokenizers encode a text, on one thread:
//   benchmark_tokenizers TEXT TOKENIZER [TOKENIZER ...]
// MB (10^6 bytes) per second of processor time: median, smallest and largest of 7 tokenizers loaded
// anew, which know no word yet, and of 7 encodings of the same text again.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <exception>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "csrc/tokenizer/tokenizer.h"

namespace {

constexpr int kRepeats = 7;

double thread_seconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double megabytes_per_second(const simba::Tokenizer& tokenizer, const std::string& text) {
  const double start = thread_seconds();
  tokenizer.encode(text);
  return 1e-6 * static_cast<double>(text.size()) / (thread_seconds() - start);
}

void print(const char* what, std::vector<double> speeds) {
  std::sort(speeds.begin(), speeds.end());
  std::printf("  %s %.1f MB/s (%.1f to %.1f)\n", what, speeds[speeds.size() / 2], speeds.front(),
              speeds.back());
}

void measure(const std::string& text, const char* path) {
  std::vector<double> first, again;
  std::unique_ptr<simba::Tokenizer> tokenizer;
  for (int i = 0; i < kRepeats; ++i) {
    tokenizer = simba::load_tokenizer(path);
    first.push_back(megabytes_per_second(*tokenizer, text));
  }
  for (int i = 0; i < kRepeats; ++i) again.push_back(megabytes_per_second(*tokenizer, text));
  std::printf("%s\n", path);
  print("first:", first);
  print("again:", again);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: benchmark_tokenizers TEXT TOKENIZER [TOKENIZER ...]\n");
    return 2;
  }
  std::ifstream file(argv[1], std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.empty()) {
    std::fprintf(stderr, "%s: expected a file with text\n", argv[1]);
    return 2;
  }
  try {
    for (int i = 2; i < argc; ++i) measure(text, argv[i]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
