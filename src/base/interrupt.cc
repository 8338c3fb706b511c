#include "base/interrupt.h"

#include <atomic>
#include <csignal>

#include "base/error.h"

namespace bittern::interrupt {
namespace {

// A signal handler can reach nothing else: the one piece of process-wide state in this folder.
std::atomic<bool> pressed{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler writes it");

void on_interrupt(int) { pressed.store(true); }

}  // namespace

void install() {
  pressed.store(false);
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // no SA_RESTART: a blocked read returns
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
}

bool requested() noexcept { return pressed.load(std::memory_order_relaxed); }

void check() {
  if (requested()) fail(ErrorKind::interrupted, "interrupted");
}

}  // namespace bittern::interrupt
