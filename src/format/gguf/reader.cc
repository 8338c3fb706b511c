#include "format/gguf/reader.h"

#include "base/error.h"
#include "format/gguf/dialect.h"
#include "format/gguf/header.h"
#include "format/gguf/rotation.h"
#include "format/gguf/split.h"

namespace bittern::format::gguf {
namespace {

// The codec of a tensor; nothing where there is none for its type, or where the codec is stricter
// about shapes than the dialect that wrote it.
std::optional<codec::Id> codec_of(const TypeRow& type, const TensorView& view, int64_t bytes) {
  if (!type.codec) return std::nullopt;
  const auto coded = codec::get(*type.codec).tensor_bytes(view.rows(), view.columns());
  return coded == bytes ? type.codec : std::nullopt;
}

void add_tensor(Checkpoint& checkpoint, const Header& file, const TensorInfo& info,
                const TypeRow& type) {
  TensorView view;
  view.name = info.name;
  view.shape = info.shape;
  // The resolver has computed these bytes and found them inside the file.
  const int64_t bytes = tensor_bytes(type, view.rows(), view.columns()).value();
  view.bytes = file.data.subspan(info.offset, static_cast<size_t>(bytes));
  if (const auto codec = codec_of(type, view, bytes)) {
    view.codec = *codec;
    checkpoint.tensors.push_back(std::move(view));
  } else {
    checkpoint.opaque.push_back(
        {std::move(view.name), std::string(type.name), std::move(view.shape), view.bytes});
  }
}

Checkpoint assemble(std::vector<Header> files, const OpenOptions& options) {
  const Resolution resolution = resolve_dialect(files, options.gguf_dialect);
  Checkpoint checkpoint;
  checkpoint.container = Container::gguf;
  checkpoint.path = files[0].file_name;
  checkpoint.dialect =
      fmt::format("gguf v{} ({})", files[0].version, dialect_row(resolution.dialect).title);
  size_t position = 0;
  for (const Header& file : files)
    for (const TensorInfo& info : file.tensors)
      add_tensor(checkpoint, file, info, *resolution.types[position++]);
  // Keys of the first part count; none of the others may change what its weights mean.
  for (size_t part = 1; part < files.size(); ++part) refuse_prism_keys(files[part].metadata);
  checkpoint.metadata = std::move(files[0].metadata);
  checkpoint.index();
  checkpoint.rotation = read_rotation(checkpoint);
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
