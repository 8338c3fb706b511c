// Where a pair of matrices belongs is decided by the name tables of the architecture. The rows of B
// are those of the layer's result, through three orders, each of which may be that of the identity:
// the result's rows -> heads as Hugging Face counts them (a GGUF model may keep them interleaved)
// -> rows as the adapter's container has them (interleaved in GGUF files of the llama class) ->
// rows of a fused tensor.
#include "model/adapter.h"

#include <array>
#include <cmath>

#include "base/error.h"
#include "base/region.h"
#include "model/bind.h"
#include "model/fused.h"

namespace bittern::model {
namespace {

using format::AdapterPair;

// A linear layer, and which of its adapter's rows are its own.
struct Place {
  const backend::Linear* linear = nullptr;
  std::vector<int32_t> rows = {};  // empty: all, as they are
};

class AdapterBinder {
 public:
  AdapterBinder(const format::AdapterFile& file, const Model& model, backend::Backend& backend)
      : file_(file), model_(model), config_(model.config), backend_(backend) {
    choose_names();
    name_modules();
  }

  std::shared_ptr<const Adapter> run() {
    auto adapter = std::make_shared<Adapter>();
    adapter->model = &model_;
    adapter->identity = file_.identity;
    int64_t bytes = 0;  // at most: an A that serves query, key and value is kept three times
    for (const AdapterPair& pair : file_.pairs)
      bytes += (3 * pair.a->elements() + pair.b->elements()) * int64_t{sizeof(float)};
    check_available(bytes, "an adapter");
    for (const AdapterPair& pair : file_.pairs) {
      if (pair.rank() > backend::kLowRankMax) {
        fail(ErrorKind::unsupported, "{}: expected a rank of at most {}, got {}", named(*pair.a),
             backend::kLowRankMax, pair.rank());
      }
      const Module& module = find(pair);
      std::vector<Place> places = places_of(module);
      require_shapes(pair, module, places);
      for (Place& place : places) add(*adapter, pair, std::move(place));
      adapter->rank = std::max(adapter->rank, pair.rank());
    }
    return adapter;
  }

 private:
  enum class Kind : uint8_t { query, key, value, query_key_value, output, gate, up, gate_up, down };
  struct Module {
    int64_t layer = 0;
    Kind kind = Kind::query;
  };

  std::string named(const TensorView& tensor) const {
    return fmt::format("{}: tensor '{}'", file_.checkpoint.path.string(),
                       printable(tensor.name, 200));
  }

  // The row of a GGUF adapter is that of its own architecture: files of several families are of the
  // llama class.
  void choose_names() {
    if (file_.checkpoint.container != format::Container::gguf) {
      names_ = model_.arch->hf;
      prefixes_.push_back(names_->prefix);
      for (const std::string_view prefix : model_.arch->hf_prefixes) prefixes_.push_back(prefix);
      return;
    }
    const ArchSpec* own = find_by_gguf_name(file_.architecture);
    if (own == nullptr || (own != model_.arch && model_.arch->gguf_as != file_.architecture)) {
      bad_input("{}: general.architecture: expected one of a {} model, got \"{}\"",
                file_.checkpoint.path.string(), model_.arch->name, printable(file_.architecture));
    }
    names_ = own->gguf;
    interleaved_ = own->gguf_interleaves_heads;
    prefixes_.push_back("");
  }

  void name_modules() {
    const bool is_fused = config_.gated && !names_->gate_up.empty();
    for (int64_t layer = 0; layer < config_.layer_count; ++layer) {
      const auto add = [&](std::string_view pattern, Kind kind) {
        if (!pattern.empty())
          modules_.try_emplace(module_name(pattern, layer), Module{layer, kind});
      };
      add(names_->query, Kind::query);
      add(names_->key, Kind::key);
      add(names_->value, Kind::value);
      add(names_->query_key_value, Kind::query_key_value);
      add(names_->output, Kind::output);
      if (config_.layers[static_cast<size_t>(layer)].experts) continue;
      if (is_fused) {
        add(names_->gate_up, Kind::gate_up);
      } else {
        if (config_.gated) add(names_->gate, Kind::gate);
        add(names_->up, Kind::up);
      }
      add(names_->down, Kind::down);
    }
  }

  // Under any prefix that models of the family have.
  const Module& find(const AdapterPair& pair) const {
    const std::string_view name = pair.module;
    for (const std::string_view prefix : prefixes_) {
      if (!name.starts_with(prefix)) continue;
      const auto found =
          modules_.find(fmt::format("{}{}", names_->prefix, name.substr(prefix.size())));
      if (found != modules_.end()) return found->second;
    }
    fail(ErrorKind::unsupported,
         "{}: expected a linear layer of the attention or the ffn of {} with {} layers (adapters "
         "of output layers, embeddings and experts are not supported)",
         named(*pair.a), model_.arch->name, config_.layer_count);
  }

  std::vector<Place> places_of(const Module& module) const {
    const Layer& layer = model_.layers[static_cast<size_t>(module.layer)];
    switch (module.kind) {
      case Kind::query:
        return {{layer.query.get(), head_rows(QkvPart::query)}};
      case Kind::key:
        return {{layer.key.get(), head_rows(QkvPart::key)}};
      case Kind::value:
        return {{layer.value.get()}};
      case Kind::query_key_value:
        return {{layer.query.get(), fused(QkvPart::query)},
                {layer.key.get(), fused(QkvPart::key)},
                {layer.value.get(), fused(QkvPart::value)}};
      case Kind::output:
        return {{layer.output.get()}};
      case Kind::gate:
        return {{layer.gate.get()}};
      case Kind::up:
        return {{layer.up.get()}};
      case Kind::gate_up:
        return {{layer.gate.get(), row_range(0, config_.ffn_size)},
                {layer.up.get(), row_range(config_.ffn_size, config_.ffn_size)}};
      case Kind::down:
        return {{layer.down.get()}};
    }
    return {};
  }

  // From the result's rows to the adapter's, of one part by itself.
  std::vector<int32_t> head_rows(QkvPart part) const {
    if (part == QkvPart::value || interleaved_ == model_.interleaved_heads) return {};
    const int64_t heads = part == QkvPart::query ? config_.head_count : config_.kv_head_count;
    std::vector<int32_t> order = deinterleaved_rows(heads, config_.head_dim);
    return interleaved_ ? order : inverse(order);
  }

  std::vector<int32_t> fused(QkvPart part) const {
    return compose(fused_rows(names_->fused_layout, part, config_.head_count, config_.kv_head_count,
                              config_.head_dim),
                   head_rows(part));
  }

  void require_shapes(const AdapterPair& pair, const Module& module,
                      const std::vector<Place>& places) const {
    int64_t rows = 0;
    for (const Place& place : places) rows += place.linear->out_size;
    const std::array<std::array<int64_t, 2>, 2> expected = {
        {{pair.rank(), places.front().linear->in_size}, {rows, pair.rank()}}};
    size_t index = 0;
    for (const TensorView* tensor : {pair.a, pair.b}) {
      const auto& shape = expected[index++];
      if (tensor->rows() == shape[0] && tensor->columns() == shape[1]) continue;
      bad_input("{}: expected shape [{}] (layer {} of the model), got [{}]", named(*tensor),
                fmt::join(shape, ", "), module.layer, fmt::join(tensor->shape, ", "));
    }
  }

  void add(Adapter& adapter, const AdapterPair& pair, Place place) const {
    const auto [entry, is_new] = adapter.deltas.try_emplace(place.linear);
    if (!is_new) {
      bad_input("{}: expected one adapter of a layer, got another of the same in this file",
                named(*pair.a));
    }
    Adapter::Delta& delta = entry->second;
    delta.weights =
        backend_.pack_low_rank({.a = pair.a, .b = pair.b, .row_order = std::move(place.rows)});
    delta.scale = static_cast<float>(pair.scale);
    adapter.resident_bytes += delta.weights->resident_bytes;
  }

  const format::AdapterFile& file_;
  const Model& model_;
  const Config& config_;
  backend::Backend& backend_;
  const TensorNames* names_ = nullptr;
  bool interleaved_ = false;  // rows of q and k in the adapter
  std::vector<std::string_view> prefixes_;
  std::unordered_map<std::string, Module> modules_;
};

}  // namespace

std::shared_ptr<const Adapter> bind_adapter(const format::AdapterFile& file, const Model& model,
                                            backend::Backend& backend) {
  return AdapterBinder(file, model, backend).run();
}

AdapterSet::AdapterSet(std::vector<Entry> entries) {
  for (Entry& entry : entries) {
    if (!std::isfinite(entry.scale))
      fail(ErrorKind::usage, "adapters: expected a number as scale, got {}", entry.scale);
    if (entry.scale == 0.0f) continue;
    if (!entries_.empty() && entry.adapter->model != entries_.front().adapter->model)
      fail(ErrorKind::usage, "adapters: expected all of one model, got them of two");
    identity_ += fmt::format("{}*{:a} ", entry.adapter->identity, entry.scale);
    entries_.push_back(std::move(entry));
  }
  if (entries_.size() > kMost)
    fail(ErrorKind::usage, "adapters: at most {} for one request, got {}", kMost, entries_.size());
}

const Model* AdapterSet::model() const {
  return entries_.empty() ? nullptr : entries_.front().adapter->model;
}

}  // namespace bittern::model
