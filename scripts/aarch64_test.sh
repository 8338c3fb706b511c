#!/usr/bin/env bash
# Builds for aarch64 with Debian's cross compiler and runs the tests under qemu-user, on three
# processors: with SDOT and SMMLA (every test), with SDOT alone and with neither (kernels).
#   scripts/aarch64_test.sh [FOLDER]     the build folder, build/aarch64
# Installs nothing: exit status 77 where a package is missing. The speed of what runs under an
# emulator says nothing, so none is measured.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh

build=$(realpath -m "${1:-build/aarch64}")
readonly build sysroot=$PWD/build/aarch64-sysroot
readonly floors=(base codec text chat kernel format backend model engine eval)

missing=()
command -v aarch64-linux-gnu-g++ >/dev/null || command -v aarch64-linux-gnu-g++-12 >/dev/null ||
  missing+=(g++-12-aarch64-linux-gnu)
command -v qemu-aarch64 >/dev/null || command -v qemu-aarch64-static >/dev/null ||
  missing+=(qemu-user)
command -v cmake >/dev/null || missing+=(cmake)
command -v ninja >/dev/null || missing+=(ninja-build)
if [ ${#missing[@]} -gt 0 ]; then
  say "aarch64 is not tested; missing packages: ${missing[*]}"
  exit 77
fi

scripts/aarch64_sysroot.sh
logged aarch64-configure cmake --preset aarch64 -B "$build" -DBITTERN_SYSROOT="$sysroot"
say "Building for aarch64: some minutes, the first time."
logged aarch64-build cmake --build "$build" --target "${floors[@]/#/test_}" bittern

# on PROCESSOR PROGRAM ARGUMENT...
on() {
  local processor=$1
  shift
  "$(command -v qemu-aarch64 || command -v qemu-aarch64-static)" \
    -L "$sysroot" -cpu "$processor" "$@"
}

status=0
# How far int8 activations move logits is a matter of numbers, not of the processor, and slow here.
# One row of the IQ4_NL reference has a scale that is NaN, with the sign that only x86 gives it.
readonly left_out='BlockFormats.Int8ActivationsMoveTheLogitsLittle:*GoldenEncode*/IQ4_NL'
for floor in "${floors[@]}"; do
  say "test_$floor on max:"
  on max "$build/tests/test_$floor" --gtest_brief=1 --gtest_filter="-$left_out" || status=1
done
for processor in neoverse-n1 cortex-a72; do
  say "test_kernel on $processor:"
  on $processor "$build/tests/test_kernel" --gtest_brief=1 || status=1
done

# End to end: one text, whichever of these processors writes it, and the native program likewise.
tell() {
  "$@" run models/bittern-stories.gguf 'Once upon a time' -n 24 --temp 0 --cache=off 2>/dev/null
}
first=$(tell on max "$build/bittern")
for processor in neoverse-n1 cortex-a72; do
  [ "$(tell on $processor "$build/bittern")" = "$first" ] ||
    { say "$processor writes another text than max"; status=1; }
done
if [ -x build/release/bittern ] && [ "$(tell build/release/bittern)" != "$first" ]; then
  say "this machine writes another text than aarch64"
  status=1
fi
python3 -B tests/tidy/tidy.py "$build" || status=1
exit $status
