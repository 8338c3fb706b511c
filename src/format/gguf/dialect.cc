#include "format/gguf/dialect.h"

#include <algorithm>

#include "base/checked_math.h"
#include "base/error.h"

namespace bittern::format::gguf {
namespace {

// How far one dialect explains the files.
struct Fit {
  Dialect dialect = Dialect::mainline;
  std::vector<const TypeRow*> types;  // of the tensors that fit, in order
  bool complete = false;              // all tensors fit
  bool exact = true;                  // and every file ends where its last tensor (padded) does
  ErrorKind kind = ErrorKind::bad_input;
  std::string failure;  // of the first tensor that does not fit
};

int64_t row_count(const TensorInfo& info) {
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < info.shape.size(); ++i) rows *= info.shape[i];
  return rows;
}

// Takes one tensor at `offset`; moves the offset behind it. False where it does not fit.
bool fit_tensor(const Header& file, const TensorInfo& info, int64_t& offset, int64_t& end,
                Fit& fit) {
  const auto reject = [&](ErrorKind kind, std::string why) {
    fit.kind = kind;
    fit.failure = fmt::format("{}: tensor '{}': {}", file.file_name, printable(info.name), why);
    return false;
  };
  const std::string_view title = dialect_row(fit.dialect).title;
  const TypeRow* type = find_type(info.type, fit.dialect);
  if (type == nullptr)
    return reject(ErrorKind::unsupported, fmt::format("{} is not a type of the {} dialect",
                                                      describe_unknown_type(info.type), title));
  const int64_t columns = info.shape.empty() ? 1 : info.shape.back();
  const auto bytes = tensor_bytes(*type, row_count(info), columns);
  if (!bytes)
    return reject(ErrorKind::bad_input,
                  fmt::format("shape [{}] does not divide into {} blocks of {}",
                              fmt::join(info.shape, ", "), type->name, type->block_elements));
  if (info.offset != static_cast<uint64_t>(offset))
    return reject(ErrorKind::bad_input,
                  fmt::format("offset {} expected after the tensors before it ({} dialect), got {}",
                              offset, title, info.offset));
  const auto data_end = checked_add(offset, *bytes);
  if (!data_end || static_cast<uint64_t>(*data_end) > file.data.size())
    return reject(
        ErrorKind::bad_input,
        fmt::format("{} bytes of {} expected at byte {}, file ends after {}", *bytes, type->name,
                    file.data_start + info.offset, file.data_start + file.data.size()));
  end = *data_end;
  // The end lies inside a file and the alignment in 32 bits: no overflow.
  offset = *checked_align(end, file.alignment);
  fit.types.push_back(type);
  return true;
}

Fit fit_dialect(std::span<const Header> files, Dialect dialect) {
  Fit fit;
  fit.dialect = dialect;
  for (const Header& file : files) {
    int64_t offset = 0;
    int64_t end = 0;
    for (const TensorInfo& info : file.tensors)
      if (!fit_tensor(file, info, offset, end, fit)) return fit;
    const auto size = static_cast<int64_t>(file.data.size());
    if (!file.tensors.empty() && size != end && size != offset) fit.exact = false;
  }
  fit.complete = true;
  return fit;
}

Dialect dialect_of_flag(std::string_view flag) {
  std::string names;
  for (const DialectRow& row : dialects()) {
    if (row.flag == flag) return row.dialect;
    names += names.empty() ? "" : ", ";
    names += row.flag;
  }
  fail(ErrorKind::usage, "--gguf-dialect: one of {} expected, got '{}'", names, printable(flag));
}

[[noreturn]] void reject_ambiguous(std::span<const Header> files, const Fit& a, const Fit& b) {
  size_t position = 0;
  for (const Header& file : files) {
    for (const TensorInfo& info : file.tensors) {
      const size_t i = position++;
      if (a.types[i] == b.types[i]) continue;
      const DialectRow& first = dialect_row(a.dialect);
      const DialectRow& second = dialect_row(b.dialect);
      bad_input(
          "{}: tensor '{}': type id {} may be {} ({}) or {} ({}), and the sizes fit both; choose "
          "with --gguf-dialect {} or --gguf-dialect {}",
          file.file_name, printable(info.name), info.type, a.types[i]->name, first.title,
          b.types[i]->name, second.title, first.flag, second.flag);
    }
  }
  fail(ErrorKind::internal, "{}: two equal readings called ambiguous", files[0].file_name);
}

}  // namespace

Resolution resolve_dialect(std::span<const Header> files, std::string_view forced) {
  std::vector<Fit> fits;
  if (forced.empty()) {
    for (const DialectRow& row : dialects())
      if (!row.by_flag_only) fits.push_back(fit_dialect(files, row.dialect));
  } else {
    fits.push_back(fit_dialect(files, dialect_of_flag(forced)));
  }
  // Report what the dialect that got furthest could not explain; the earlier one on a tie.
  const auto furthest = std::max_element(fits.begin(), fits.end(), [](const Fit& a, const Fit& b) {
    return std::pair(a.complete, a.types.size()) < std::pair(b.complete, b.types.size());
  });
  if (!furthest->complete) throw Error(furthest->kind, furthest->failure);

  std::erase_if(fits, [](const Fit& fit) { return !fit.complete; });
  if (std::any_of(fits.begin(), fits.end(), [](const Fit& fit) { return fit.exact; }))
    std::erase_if(fits, [](const Fit& fit) { return !fit.exact; });
  for (const Fit& other : fits)
    if (other.types != fits[0].types) reject_ambiguous(files, fits[0], other);
  return {fits[0].dialect, std::move(fits[0].types)};
}

}  // namespace bittern::format::gguf
