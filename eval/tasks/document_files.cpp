#include "eval/tasks/document_files.h"

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <utility>

#include "csrc/input_error.h"
#include "csrc/tokenizer/utf8.h"
#include "eval/run/interrupt.h"
#include "eval/tasks/clean_up.h"
#include "eval/text/read_file.h"
#include "eval/text/sha256.h"

namespace simba::eval {
namespace {

namespace fs = std::filesystem;

struct Found {
  const DocumentSource* source;
  fs::path path;
};

Found find_source(const std::vector<DocumentSource>& sources, const std::string& data,
                  const std::string& task) {
  std::error_code error;
  if (!fs::is_directory(data, error)) {
    throw InputError("--data " + data + ": expected a folder with the tasks' files");
  }
  std::string names;
  for (const DocumentSource& source : sources) {
    for (const std::string& name : source.files) {
      const fs::path path = fs::path(data) / name;
      if (fs::is_regular_file(path, error)) return {&source, path};
      names += (names.empty() ? "" : ", ") + name;
    }
  }
  throw InputError("--data " + data + ": task " + task + " expects one of " + names +
                   ", found none");
}

// Lines without their line ends and without blank lines at the end; the last one may lack its own
// line end.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (line.ends_with('\r')) line.pop_back();
    lines.push_back(std::move(line));
  }
  while (!lines.empty() && lines.back().find_first_not_of(" \t") == std::string::npos) {
    lines.pop_back();
  }
  return lines;
}

std::string at_line(const std::string& path, std::size_t index) {
  return path + ":" + std::to_string(index + 1);
}

std::vector<Document> parse_lines(const std::string& text, const std::string& path) {
  std::vector<Document> documents;
  const std::vector<std::string> lines = lines_of(text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    check_interrupt();
    documents.push_back(parse_document(lines[i], at_line(path, i)));
  }
  if (documents.empty()) throw InputError(path + ": expected JSON lines, got an empty file");
  return documents;
}

void add_labels(const std::string& text, const std::string& path,
                std::vector<Document>& documents) {
  const std::vector<std::string> labels = lines_of(text);
  if (labels.size() != documents.size()) {
    throw InputError(path + ": expected a label for each of " + std::to_string(documents.size()) +
                     " documents, got " + std::to_string(labels.size()) + " lines");
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    try {
      require_utf8(labels[i]);
    } catch (const InputError& error) {
      throw InputError(at_line(path, i) + ": " + error.what());
    }
    documents[i].fields["label"] = labels[i];
  }
}

bool is_kept(const DocumentSource& source, const Document& document) {
  if (source.keep_field.empty()) return true;
  const std::string& value = document.text(source.keep_field);
  return std::find(source.keep_values.begin(), source.keep_values.end(), value) !=
         source.keep_values.end();
}

}  // namespace

DocumentFile read_documents(const std::vector<DocumentSource>& sources, const std::string& data,
                            const std::string& task) {
  const auto [source, path] = find_source(sources, data, task);
  DocumentFile file;
  file.note = source->note;
  const std::string text = read_file(path.string());
  file.files.push_back({path.filename().string(), sha256(text)});
  std::vector<Document> documents = parse_lines(text, path.string());
  if (!source->labels.empty()) {
    const std::string labels = (path.parent_path() / source->labels).string();
    const std::string label_text = read_file(labels);
    file.files.push_back({source->labels, sha256(label_text)});
    add_labels(label_text, labels, documents);
  }
  for (Document& document : documents) {
    if (!is_kept(*source, document)) continue;
    if (!source->clean_up.empty()) clean_up(source->clean_up, document);
    file.documents.push_back(std::move(document));
  }
  if (file.documents.empty()) {
    throw InputError(source->where + ": keep: no document of " + path.string() + " has " +
                     source->keep_field + " among the values");
  }
  return file;
}

}  // namespace simba::eval
