// bittern version
#include "base/json_write.h"
#include "cli/command.h"
#include "cli/output.h"

namespace bittern::cli {
namespace {

class Version final : public Command {
 public:
  void declare(Flags& flags) override {
    flags.toggle({"--json", "", "One JSON document."}, &json_);
  }
  int run(const Log&) override {
    write_output(json_ ? to_text(JsonBuilder{{"version", BITTERN_VERSION}}) + "\n"
                       : fmt::format("bittern {}\n", BITTERN_VERSION));
    return 0;
  }

 private:
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_version() { return std::make_unique<Version>(); }

}  // namespace bittern::cli
