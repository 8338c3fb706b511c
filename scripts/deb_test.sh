#!/usr/bin/env bash
# Builds the Debian package and tries it on a bare system (as root):
#   scripts/deb_test.sh BUILD_FOLDER [BARE_ROOT]
# BARE_ROOT: a minimal Debian 12 (debootstrap --variant=minbase bookworm ROOT); it is copied, the
# copy gets the package with what it depends on, the example model runs in it, the copy is removed.
# Without BARE_ROOT the package is built and its contents are checked.
set -euo pipefail
[ $# -ge 1 ] && [ $# -le 2 ] || { echo "usage: $0 BUILD_FOLDER [BARE_ROOT]" >&2; exit 2; }
build=$(realpath "$1")
bare=${2:+$(realpath "$2")}

cmake --build "$build" --target bittern bittern_shared bittern_pages
(cd "$build" && rm -f bittern_*.deb && cpack -G DEB >/dev/null)
package=$(ls "$build"/bittern_*.deb)
dpkg-deb --info "$package"
contents=$(dpkg-deb --contents "$package" | awk '{print $6}')
for path in ./usr/bin/bittern ./usr/share/man/man1/bittern.1.gz ./usr/share/doc/bittern/copyright \
  ./usr/share/bash-completion/completions/bittern ./usr/share/zsh/vendor-completions/_bittern \
  ./usr/share/fish/vendor_completions.d/bittern.fish \
  ./usr/share/bittern/models/bittern-stories.gguf ./usr/include/bittern.h ./usr/lib/libbittern.so \
  ./usr/lib/pkgconfig/bittern.pc ./usr/lib/cmake/bittern/bittern-config.cmake; do
  grep -qx "$path" <<<"$contents" || { echo "$path is not in the package" >&2; exit 1; }
done
if command -v lintian >/dev/null; then lintian --fail-on error "$package"; fi
[ -n "$bare" ] || exit 0

root=$(mktemp -d)
trap 'rm -rf --one-file-system "$root"' EXIT
cp -a "$bare/." "$root"
cp "$package" "$root/tmp/bittern.deb"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
in_root() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin HOME=/root "$@"; }
in_root apt-get -q -y update
in_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends \
  /tmp/bittern.deb
in_root bittern version
in_root bittern show bittern-stories | head -n 3
in_root bittern run bittern-stories --seed 1 -n 20 "Once upon a time"
in_root bittern list --available --names
in_root apt-get -q -y remove bittern
! in_root test -e /usr/bin/bittern
echo "the package installs, runs and goes"
