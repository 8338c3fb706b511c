# shellcheck shell=bash disable=SC2034
# Shared by ./quickstart and ./check (sourced by bash, in the repository's root): installing
# missing Debian packages and building. Long output goes to build/*.log and is shown on failure.

readonly build_packages=(g++ cmake ninja-build libfmt-dev libsimdjson-dev nlohmann-json3-dev
  libcurl4-openssl-dev libssl-dev zlib1g-dev libonig-dev pkg-config)

say() { printf '%s\n' "$*" >&2; }
die() { say "$0: $*"; exit 1; }

# logged NAME COMMAND...: runs quietly; its output is kept in build/NAME.log.
logged() {
  local log=build/$1.log
  shift
  mkdir -p build
  "$@" >"$log" 2>&1 </dev/null && return
  tail -n 40 "$log" >&2
  die "failed: $* (all output: $log)"
}

# as_root COMMAND...: directly, or through sudo where this is another user.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# may_become_root: asks for the password once, where a person can type it.
may_become_root() {
  [ "$(id -u)" = 0 ] && return
  command -v sudo >/dev/null || return
  if [ -t 0 ]; then sudo -v; else sudo -n true 2>/dev/null; fi
}

# install_missing PACKAGE...: from Debian's archive, and only if nothing has to be removed.
install_missing() {
  local missing=() package removed
  if ! command -v apt-get >/dev/null; then
    say "This is not Debian: please see to it that these are installed: $*"
    return
  fi
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
      missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  may_become_root || die "packages are missing and this is not root. Please run
    apt-get update && apt-get install --no-install-recommends ${missing[*]}
  as root, then $0 again"
  say "Installing from Debian: ${missing[*]}"
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -y -o Acquire::Retries=3
    -o DPkg::Lock::Timeout=300)
  logged apt-update as_root "${apt[@]}" update
  logged apt-plan as_root "${apt[@]}" -s install --no-install-recommends "${missing[@]}"
  removed=$(sed -n 's/^Remv \([^ ]*\).*/\1/p' build/apt-plan.log | tr '\n' ' ')
  [ -z "$removed" ] || die "installing ${missing[*]} would remove ${removed% }: nothing was done"
  logged apt-install as_root "${apt[@]}" install --no-install-recommends "${missing[@]}"
}

# say_tenths: of ninja's status lines on standard input, "[steps done/all] ...", one each tenth.
say_tenths() {
  local line tenths=0
  while IFS= read -r line; do
    [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
    [ $((10 * BASH_REMATCH[1] / BASH_REMATCH[2])) -gt "$tenths" ] || continue
    tenths=$((10 * BASH_REMATCH[1] / BASH_REMATCH[2]))
    say "  $((10 * tenths)) %: ${BASH_REMATCH[1]} of ${BASH_REMATCH[2]} steps"
  done
}

# build_targets TARGET...: in build/release, with ninja's own status line on a terminal; elsewhere
# that is a line each tenth, and all output is in build/build.log.
build_targets() {
  local begin=$SECONDS log=build/build.log
  if [ -t 1 ]; then
    cmake --build build/release --target "$@" || die "the build failed"
  elif ! cmake --build build/release --target "$@" 2>&1 </dev/null | tee "$log" | say_tenths; then
    tail -n 40 "$log" >&2
    die "the build failed (all output: $log)"
  fi
  say "Built in $((SECONDS - begin)) s."
}
