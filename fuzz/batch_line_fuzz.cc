// Lines of batch files, in and out: any bytes. What is read of an output line can be written again.
#include "base/check.h"
#include "fuzz/target.h"
#include "serve/batch/batch_line.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bittern;
  using namespace bittern::serve;
  const std::string_view line = as_text(fuzz::input(data, size));
  fuzz::accept_errors([&] {
    const BatchRequest request = read_batch_request(line);
    BITTERN_CHECK(request.custom_id == read_custom_id(line), "two custom_ids");
  });
  return fuzz::accept_errors([&] {
    const BatchOutcome outcome = read_batch_output(line, "line");
    const BatchIds ids{.line = outcome.id, .request = "r", .response = "s"};
    const std::string again =
        batch_output(ids, outcome.custom_id, outcome.is_error ? 400 : 200, JsonBuilder::object());
    const BatchOutcome copy = read_batch_output(again, "line");
    BITTERN_CHECK(copy.id == outcome.id && copy.custom_id == outcome.custom_id &&
                      copy.is_error == outcome.is_error,
                  "an output line changed: {}", again);
  });
}
