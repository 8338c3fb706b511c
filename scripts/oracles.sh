# shellcheck shell=bash
# Sourced by ./check --oracles: the independent programs of tests/oracles, in .venv-oracles.

# install_oracles: again only when the list of versions has changed.
install_oracles() {
  local venv=.venv-oracles list=tests/oracles/requirements.txt
  cmp -s "$list" "$venv/installed.txt" && return
  say "Installing the oracles into $venv: about 6 GB, some minutes."
  [ -x "$venv/bin/pip" ] || logged venv python3 -m venv "$venv"
  # llama.cpp's AMX path crashes when g++ 12 built it, hence no native flags.
  CMAKE_ARGS='-DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON' \
    logged pip "$venv/bin/pip" install --disable-pip-version-check -r "$list"
  cp "$list" "$venv/installed.txt"
}
