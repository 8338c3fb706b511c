// Ctrl-C: the first one asks, and long work stops at its next step; the second one kills.
#pragma once

namespace bittern::interrupt {

// Catches the next SIGINT; the one after it has its default effect again.
void install();
// Whether Ctrl-C was pressed since install().
bool requested() noexcept;
// Throws Error{interrupted} when requested().
void check();

}  // namespace bittern::interrupt
