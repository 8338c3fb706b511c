// The Hugging Face hub, or what speaks its protocol (HF_ENDPOINT):
//
//   GET  /api/models/ORG/REPO/tree/REV?recursive=true   [{"type", "path", "size", "oid", "lfs"}...]
//   HEAD /ORG/REPO/resolve/REV/PATH   X-Repo-Commit, X-Linked-Size, X-Linked-Etag (LFS: SHA-256;
//                                     otherwise ETag: git's blob id)
//   GET  the same: redirects to where the bytes are, often another host with a signed address
//
// Errors say more in X-Error-Code: GatedRepo, RepoNotFound, RevisionNotFound, EntryNotFound.
// Source: huggingface_hub's file_download.py, hf_api.py and utils/_http.py.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/http.h"

namespace bittern::model_store {

inline constexpr std::string_view kHubPrefix = "hf:";

// hf:ORG/REPO[:FILE][@REV]
struct HubReference {
  std::string repo;  // ORG/REPO
  std::string file;  // or how it is quantised ("Q4_K_M"); empty: whatever the repository offers
  std::string revision = "main";

  std::string text() const;  // as a user writes it
};

// Throws Error{usage} where the text is not of that form.
HubReference parse_hub_reference(std::string_view text);

struct HubFile {
  std::string path;
  int64_t bytes = 0;
  std::string sha256;    // of LFS files
  std::string git_sha1;  // of the others
};

// Files of one revision.
struct HubListing {
  std::vector<HubFile> files;
  std::string commit;  // empty where the server does not say
};

class Hub {
 public:
  Hub(Http& http, std::string endpoint, std::string token)
      : http_(http), endpoint_(std::move(endpoint)), token_(std::move(token)) {}

  std::string url(const HubReference& reference, const std::string& path) const;
  const std::string& token() const { return token_; }

  // What the hub says of one file, before it is fetched.
  HubListing look_up(const HubReference& reference, const std::string& path);
  // Every file of the repository. Throws bad_input on a listing that makes no sense or names
  // files outside the repository.
  HubListing list(const HubReference& reference);
  // What the repository's card says of its licence; empty where it says nothing or the hub does not
  // answer.
  std::string licence(const HubReference& reference);

 private:
  Http& http_;
  std::string endpoint_, token_;

  [[noreturn]] void refuse(const Response& response, const HubReference& reference,
                           const std::string& path) const;
};

// The files of `listing` that make up what `reference` asks for: one GGUF file or all parts of a
// split one, or a SafeTensors model with its configuration and tokenizer. Throws bad_input with the
// choices where the reference leaves more than one.
std::vector<HubFile> choose_files(const HubListing& listing, const HubReference& reference);

// The listing's entries of one page. Throws bad_input.
void parse_tree(std::string_view text, const std::string& where, std::vector<HubFile>& files);

}  // namespace bittern::model_store
