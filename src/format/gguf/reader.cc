#include "format/gguf/reader.h"

#include "base/error.h"
#include "format/gguf/dialect.h"
#include "format/gguf/header.h"
#include "format/gguf/split.h"

namespace bittern::format::gguf {
namespace {

// PrismML's keys change what the stored numbers mean (rotated weights load fine and speak
// nonsense), so a key that is not understood is a reason to stop.
void refuse_prism_keys(const Metadata& metadata) {
  for (const auto& [key, value] : metadata.entries()) {
    if (key.starts_with("prism.hadamard."))
      fail(ErrorKind::unsupported, "{}: {}: weights in a rotated basis are not supported yet",
           metadata.file_name, printable(key));
    if (key.starts_with("prism."))
      fail(ErrorKind::unsupported,
           "{}: {}: an unknown key that may change the meaning of the weights", metadata.file_name,
           printable(key));
  }
}

TensorView view_of(const Header& file, const TensorInfo& info, const TypeRow& type,
                   Dialect dialect) {
  if (!type.codec)
    fail(ErrorKind::unsupported,
         "{}: tensor '{}': type {} ({} dialect) is not supported yet; supported: {}",
         file.file_name, printable(info.name), type.name, dialect_row(dialect).title,
         supported_types());
  TensorView view;
  view.name = info.name;
  view.codec = *type.codec;
  view.shape = info.shape;
  // The resolver has computed these bytes and found them inside the file; the codec may be
  // stricter about shapes than the dialect that wrote them.
  const auto bytes = tensor_bytes(type, view.rows(), view.columns());
  if (codec::get(view.codec).tensor_bytes(view.rows(), view.columns()) != bytes)
    fail(ErrorKind::unsupported, "{}: tensor '{}': {} of shape [{}] is not supported",
         file.file_name, printable(info.name), type.name, fmt::join(info.shape, ", "));
  view.bytes = file.data.subspan(info.offset, static_cast<size_t>(bytes.value()));
  return view;
}

Checkpoint assemble(std::vector<Header> files, const OpenOptions& options) {
  for (const Header& file : files) refuse_prism_keys(file.metadata);
  const Resolution resolution = resolve_dialect(files, options.gguf_dialect);
  Checkpoint checkpoint;
  checkpoint.container = Container::gguf;
  checkpoint.path = files[0].file_name;
  checkpoint.dialect =
      fmt::format("gguf v{} ({})", files[0].version, dialect_row(resolution.dialect).title);
  size_t position = 0;
  for (const Header& file : files)
    for (const TensorInfo& info : file.tensors)
      checkpoint.tensors.push_back(
          view_of(file, info, *resolution.types[position++], resolution.dialect));
  checkpoint.metadata = std::move(files[0].metadata);
  checkpoint.index();
  return checkpoint;
}

void check_part(const Header& file, const Split& expected) {
  const auto found = split_of(file.metadata);
  if (!found)
    bad_input("{}: split.count: {} expected as in the other parts, got none", file.file_name,
              expected.count);
  if (found->count != expected.count)
    bad_input("{}: split.count: {} expected as in the other parts, got {}", file.file_name,
              expected.count, found->count);
  if (found->index != expected.index)
    bad_input("{}: split.no: {} expected in this file, got {}", file.file_name, expected.index,
              found->index);
}

}  // namespace

Checkpoint read(Bytes file, std::string file_name, const OpenOptions& options) {
  std::vector<Header> files;
  files.push_back(parse_header(file, std::move(file_name)));
  return assemble(std::move(files), options);
}

Checkpoint open(const std::filesystem::path& path, const OpenOptions& options) {
  std::vector<FileMap> maps;
  std::vector<Header> files;
  maps.push_back(FileMap::open(path));
  files.push_back(parse_header(maps[0].bytes(), path.string()));
  if (const auto split = split_of(files[0].metadata)) {
    maps.clear();
    files.clear();
    for (int64_t part = 0; part < split->count; ++part) {
      const std::filesystem::path part_path = split_path(path, *split, part);
      maps.push_back(FileMap::open(part_path));
      files.push_back(parse_header(maps.back().bytes(), part_path.string()));
      check_part(files.back(), {part, split->count});
    }
  }
  Checkpoint checkpoint = assemble(std::move(files), options);
  checkpoint.path = path;
  checkpoint.maps = std::move(maps);
  return checkpoint;
}

}  // namespace bittern::format::gguf
