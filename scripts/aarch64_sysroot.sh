#!/usr/bin/env bash
# Fills build/aarch64-sysroot with Debian's libraries for aarch64, for cmake --preset aarch64:
#   scripts/aarch64_sysroot.sh
# Packages are downloaded and unpacked into that folder by apt with state of its own; nothing is
# installed, no architecture is added and no privilege is needed. (Installing them instead would
# remove the native libsimdjson-dev and libonig-dev.)
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh

readonly sysroot=$PWD/build/aarch64-sysroot state=$PWD/build/aarch64-apt
readonly libraries=(libfmt-dev libsimdjson-dev nlohmann-json3-dev
  libcurl4-openssl-dev libssl-dev zlib1g-dev libonig-dev libgtest-dev)
# The cross compiler brings these headers itself.
readonly not_wanted='/(libc6-dev|linux-libc-dev|libcrypt-dev|libnsl-dev|libtirpc-dev)_'

[ "$(cat "$sysroot/libraries" 2>/dev/null)" != "${libraries[*]}" ] || exit 0
command -v apt-get >/dev/null || die "this needs apt; fill $sysroot by hand: ${libraries[*]}"

say "Unpacking libraries for aarch64 into $sysroot: 21 MB to download."
rm -rf "$sysroot" "$state"
mkdir -p "$sysroot" "$state/lists/partial" "$state/cache/archives/partial"
: >"$state/status"
readonly options=(-o Dir::State="$state" -o Dir::State::lists="$state/lists"
  -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" -o APT::Architecture=arm64
  -o APT::Architectures=arm64 -o APT::Sandbox::User=root -o Debug::NoLocking=true
  -o Acquire::Retries=3)
logged aarch64-update apt-get "${options[@]}" update
logged aarch64-download apt-get "${options[@]}" -y --download-only install \
  --no-install-recommends "${libraries[@]}"
for package in "$state"/cache/archives/*.deb; do
  [[ $package =~ $not_wanted ]] || dpkg-deb -x "$package" "$sysroot"
done
rm -rf "$state"
echo "${libraries[*]}" >"$sysroot/libraries"
