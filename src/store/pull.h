// Brings a model into the store.
#pragma once

#include <string>

#include "base/log.h"
#include "store/catalogue.h"
#include "store/home.h"
#include "store/hub.h"
#include "store/settings.h"

namespace bittern::model_store {

struct PullOptions {
  std::string name;    // how the model is called here; empty: the catalogue's, or made from FILE
  bool again = false;  // even where it is installed
};

struct Pulled {
  Installed model;
  bool was_there = false;
};

// `what`: a name of the catalogue or hf:ORG/REPO[:FILE][@REV]. Throws Error: usage (no such name),
// what the servers answer, a digest that differs, no room, Ctrl-C. What has arrived by then is kept
// for the next pull.
Pulled pull(const std::string& what, const PullOptions& options, const Home& home,
            const Settings& settings, const Log& log);

// The two kinds of sources by themselves.
Pulled pull_row(const CatalogueRow& row, const PullOptions& options, const Home& home,
                const Settings& settings, const Log& log);
Pulled pull_from_hub(const HubReference& reference, const PullOptions& options, const Home& home,
                     const Settings& settings, const Log& log);

}  // namespace bittern::model_store
