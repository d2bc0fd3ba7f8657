// The documents of a task, from the first of its sources that the data folder holds.
#pragma once

#include <string>
#include <vector>

#include "eval/run/model_files.h"
#include "eval/tasks/document.h"
#include "eval/tasks/task_config.h"

namespace simba::eval {

struct DocumentFile {
  std::vector<Document> documents;  // cleaned up and filtered
  std::vector<FileHash> files;      // the documents, and the labels where they are apart
  std::string note;                 // of the source
};

// JSON lines, each one document; labels, where they are in a file of their own, line by line.
// `task` names the task in messages. Throws InputError, with file and line, where no file is there,
// a line is no JSON object in UTF-8, or the numbers of documents and labels differ.
DocumentFile read_documents(const std::vector<DocumentSource>& sources, const std::string& data,
                            const std::string& task);

}  // namespace simba::eval
