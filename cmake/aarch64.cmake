# Toolchain: builds for aarch64 Linux with Debian's cross compiler; ctest runs what was built under
# qemu-user. Libraries come from a folder that scripts/aarch64_sysroot.sh fills, because -dev
# packages of two architectures cannot be installed side by side (libsimdjson-dev and libonig-dev
# replace each other).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
find_program(CMAKE_CXX_COMPILER NAMES aarch64-linux-gnu-g++ aarch64-linux-gnu-g++-12 REQUIRED)
find_program(bittern_qemu NAMES qemu-aarch64 qemu-aarch64-static REQUIRED)

set(BITTERN_SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../build/aarch64-sysroot CACHE PATH
  "libraries for aarch64")
set(BITTERN_QEMU_CPU max CACHE STRING "processor that qemu-aarch64 pretends to be")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES BITTERN_SYSROOT BITTERN_QEMU_CPU)
cmake_path(NORMAL_PATH BITTERN_SYSROOT)

set(CMAKE_CROSSCOMPILING_EMULATOR ${bittern_qemu} -L ${BITTERN_SYSROOT} -cpu ${BITTERN_QEMU_CPU})
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH ${BITTERN_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR}
  ${BITTERN_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${BITTERN_SYSROOT}/usr/share/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${BITTERN_SYSROOT})
# Headers of OpenSSL that differ between architectures.
string(APPEND CMAKE_CXX_FLAGS_INIT
  " -idirafter ${BITTERN_SYSROOT}/usr/include/aarch64-linux-gnu")
# Libraries that the found ones need in turn.
set(libraries ${BITTERN_SYSROOT}/usr/lib/aarch64-linux-gnu)
string(APPEND CMAKE_EXE_LINKER_FLAGS_INIT
  " -Wl,-rpath-link,${libraries} -Wl,-rpath-link,${BITTERN_SYSROOT}/lib/aarch64-linux-gnu")
