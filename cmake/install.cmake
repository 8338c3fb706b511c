# cmake --install: the program, the library with its header, the example model, the manual page and
# completions, and what says how they may be used. cpack -G DEB: the same as a Debian package
# (scripts/deb_test.sh tries it).

# The manual page and the completions are what the program says of itself.
set(made ${PROJECT_BINARY_DIR}/made)
file(MAKE_DIRECTORY ${made})
add_custom_command(OUTPUT ${made}/bittern.1.gz ${made}/bittern ${made}/_bittern ${made}/bittern.fish
  COMMAND $<TARGET_FILE:bittern> help --man | gzip -9 -n > ${made}/bittern.1.gz
  COMMAND $<TARGET_FILE:bittern> completion bash > ${made}/bittern
  COMMAND $<TARGET_FILE:bittern> completion zsh > ${made}/_bittern
  COMMAND $<TARGET_FILE:bittern> completion fish > ${made}/bittern.fish
  DEPENDS bittern VERBATIM)
add_custom_target(bittern_pages ALL DEPENDS ${made}/bittern.1.gz)

install(TARGETS bittern RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# For programs that use the library: pkg-config bittern, or find_package(bittern) and the target
# bittern::bittern.
install(TARGETS bittern_shared EXPORT bittern_targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${PROJECT_SOURCE_DIR}/include/bittern.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
file(RELATIVE_PATH BITTERN_PC_UP /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${CMAKE_CURRENT_LIST_DIR}/bittern.pc.in ${made}/bittern.pc @ONLY)
install(FILES ${made}/bittern.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/bittern)
install(EXPORT bittern_targets NAMESPACE bittern:: FILE bittern-config.cmake
  DESTINATION ${package_folder})
include(CMakePackageConfigHelpers)
write_basic_package_version_file(${made}/bittern-config-version.cmake
  COMPATIBILITY SameMajorVersion)
install(FILES ${made}/bittern-config-version.cmake DESTINATION ${package_folder})

install(DIRECTORY ${PROJECT_SOURCE_DIR}/models/ DESTINATION ${CMAKE_INSTALL_DATADIR}/bittern/models
  FILES_MATCHING PATTERN "*.gguf" PATTERN "*.md")
install(FILES ${made}/bittern.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${made}/bittern DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${made}/_bittern DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES ${made}/bittern.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(FILES README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
# Debian's name for a licence, which others understand too.
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME bittern)
set(CPACK_PACKAGE_VENDOR Bittern)
set(CPACK_PACKAGE_CONTACT "The Bittern authors <bittern@example.org>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "run and measure low-bit language models on the CPU")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"Bittern opens GGUF and SafeTensors files and Hugging Face folders as they are,
 runs ternary and other low-bit models on ordinary processors, and gives the
 same text for the same seed whatever the threads. A small story model is
 included; others are fetched by name with bittern pull. The library and its
 header are for programs that run models themselves.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
# Certificates to check the hub with; without them nothing is fetched, everything else works.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
