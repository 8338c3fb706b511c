#!/usr/bin/env bash
# Installs a build into an empty folder and uses it from there, as others will: a program in C by
# pkg-config, one by CMake's find_package, both with the model that is installed too.
#   install_test.sh BUILD_FOLDER COMPILER
set -euo pipefail
[ $# = 2 ] || { echo "usage: $0 BUILD_FOLDER COMPILER" >&2; exit 2; }
build=$1 compiler=$2
source=$(realpath "$(dirname "$0")/../../examples/c/generate.c")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cmake --install "$build" --prefix "$folder/first" >/dev/null
mv "$folder/first" "$folder/prefix" # nothing in it may depend on where it was made
libraries=$(dirname "$(find "$folder/prefix" -name libbittern.so)")
says() { LD_LIBRARY_PATH=$libraries "$1" bittern-stories "Once upon a time" 1; }

export PKG_CONFIG_PATH=$libraries/pkgconfig
# shellcheck disable=SC2046
"$compiler" -x c "$source" -x none $(pkg-config --cflags --libs bittern) -o "$folder/by_pkg_config"
says "$folder/by_pkg_config" >"$folder/first.txt"
[ -s "$folder/first.txt" ]

mkdir "$folder/project"
cat >"$folder/project/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.25)
project(use LANGUAGES CXX)
find_package(bittern 0.1 REQUIRED)
file(COPY_FILE $source \${PROJECT_BINARY_DIR}/generate.cc)
add_executable(by_cmake \${PROJECT_BINARY_DIR}/generate.cc)
target_link_libraries(by_cmake PRIVATE bittern::bittern)
END
cmake -S "$folder/project" -B "$folder/project/build" -DCMAKE_PREFIX_PATH="$folder/prefix" \
  -DCMAKE_CXX_COMPILER="$compiler" >/dev/null
cmake --build "$folder/project/build" >/dev/null
says "$folder/project/build/by_cmake" | cmp - "$folder/first.txt"
