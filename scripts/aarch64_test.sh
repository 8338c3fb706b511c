#!/usr/bin/env bash
# Builds for aarch64 with Debian's cross compiler and runs the tests under qemu-user, on three
# processors: with SDOT and SMMLA (every test), with SDOT alone and with neither (kernels). Then one
# text is written on each of them and must be the same.
#   scripts/aarch64_test.sh [FOLDER [FLOOR...]]    the build folder, build/aarch64; some floors only
# Installs nothing: exit status 77 where a package is missing. Takes about twenty minutes of one
# processor after the build; the speed of what runs under an emulator says nothing, so none is
# measured. What each program said is in FOLDER/emulated.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh

build=$(realpath -m "${1:-build/aarch64}")
readonly build sysroot=$PWD/build/aarch64-sysroot
# The slowest first. Not cli and api, whose tests start the program by itself; bench measures.
floors=(engine model kernel backend chat format text store codec serve base api_parts eval)
[ $# -lt 2 ] || floors=("${@:2}")

missing=()
command -v aarch64-linux-gnu-g++ >/dev/null || command -v aarch64-linux-gnu-g++-12 >/dev/null ||
  missing+=(g++-12-aarch64-linux-gnu)
qemu=$(command -v qemu-aarch64 || command -v qemu-aarch64-static) || missing+=(qemu-user)
command -v cmake >/dev/null || missing+=(cmake)
command -v ninja >/dev/null || missing+=(ninja-build)
if [ ${#missing[@]} -gt 0 ]; then
  say "aarch64 is not tested; missing packages: ${missing[*]}"
  exit 77
fi

scripts/aarch64_sysroot.sh
logged aarch64-configure cmake --preset aarch64 -B "$build" -DBITTERN_SYSROOT="$sysroot"
say "Building for aarch64: some minutes, the first time."
logged aarch64-build cmake --build "$build" --target "${floors[@]/#/test_}" bittern \
  c99_program_built

# on PROCESSOR PROGRAM ARGUMENT...
on() { "$qemu" -L "$sysroot" -cpu "$@"; }

# How far int8 activations move logits is a matter of numbers, not of the processor, and slow here;
# the schedules are logic alone, ten thousand of them, on a model without arithmetic.
# One row of the IQ4_NL reference has a scale that is NaN, with the sign that only x86 gives it.
# The emulator takes an madvise for a hint that it need not follow, so nothing is read ahead.
readonly left_out='BlockFormats.Int8ActivationsMoveTheLogitsLittle
EngineSimulation.EveryScheduleGivesEachRequestWhatItHasAlone
*GoldenEncode*/IQ4_NL
ReadAhead.WhatWasWantedIsThere
ReadAhead.PartsOutOfOrderOfSeveralFilesAndNone
ReadAhead.AFileMayGoMeanwhile'

# tested PROCESSOR FLOOR: runs that program of tests and says in one line how it went.
# shellcheck disable=SC2317  # xargs calls it
tested() {
  local name=test_$2-$1 begin=$SECONDS word=passed status=0
  GTEST_OUTPUT=xml:$build/emulated/$1/$2.xml on "$1" "$build/tests/test_$2" \
    --gtest_filter="-${left_out//$'\n'/:}" >"$build/emulated/$name.log" 2>&1 || status=1
  [ "$status" = 0 ] || word=FAILED
  say "test_$2 on $1: $word, $(grep -c '^\[       OK' "$build/emulated/$name.log") tests," \
    "$((SECONDS - begin)) s"
  [ "$status" = 0 ] ||
    grep -vE '^\[( RUN|       OK|---)' "$build/emulated/$name.log" | tail -n 30 >&2
  return "$status"
}
export -f on say tested
export build qemu sysroot left_out

status=0
rm -rf "$build/emulated"
mkdir -p "$build/emulated"
{
  printf 'max %s\n' "${floors[@]}"
  [[ " ${floors[*]} " != *" kernel "* ]] || printf '%s kernel\n' neoverse-n1 cortex-a72
} | xargs -P "$(nproc)" -L 1 bash -c 'tested "$@"' tested || status=1
# The other two lack instructions; max has them all, so there hardly a test is skipped.
python3 -B scripts/skips.py --results "$build/emulated/max" tests/skips.txt || status=1

readonly model=models/bittern-stories.gguf
on max "$build/tests/c99_program" $model || { say "the C program failed"; status=1; }

# One text, whichever of these processors writes it, and the native program likewise.
# text_of KV COMMAND...
text_of() {
  "${@:2}" run $model 'Once upon a time' -n 100 --temp 0 --cache=off --kv-type "$1" \
    2>"$build/emulated/run.log" || tail -n 1 "$build/emulated/run.log" >&2
}
for kv in f16 int8; do
  first=$(text_of $kv on max "$build/bittern")
  [ -n "$first" ] || { say "max writes no text"; status=1; }
  for processor in neoverse-n1 cortex-a72; do
    [ "$(text_of $kv on $processor "$build/bittern")" = "$first" ] ||
      { say "$processor writes another text than max (KV $kv)"; status=1; }
  done
  if [ -x build/release/bittern ] && [ "$(text_of $kv build/release/bittern)" != "$first" ]; then
    say "this machine writes another text than aarch64 (KV $kv; or build/release is an older tree)"
    status=1
  fi
done
python3 -B tests/tidy/tidy.py "$build" || status=1
exit $status
