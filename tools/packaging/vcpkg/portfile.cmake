# Needs cargo on the PATH. At a release REF and SHA512 are those of the tag's archive.
vcpkg_from_github(
  OUT_SOURCE_PATH SOURCE_PATH
  REPO twardoch/twat-cache
  REF "v${VERSION}"
  SHA512 0
  HEAD_REF main)
find_program(CARGO cargo REQUIRED)
vcpkg_execute_build_process(COMMAND "${CARGO}" library
  WORKING_DIRECTORY "${SOURCE_PATH}" LOGNAME "build-${TARGET_TRIPLET}")
vcpkg_execute_required_process(COMMAND "${SOURCE_PATH}/tools/install.sh" install "${CURRENT_PACKAGES_DIR}"
  WORKING_DIRECTORY "${SOURCE_PATH}" LOGNAME "install-${TARGET_TRIPLET}")
if(VCPKG_LIBRARY_LINKAGE STREQUAL "static")
  file(GLOB shared "${CURRENT_PACKAGES_DIR}/lib/libtwat_cache.so*")
  file(REMOVE ${shared})
else()
  file(REMOVE "${CURRENT_PACKAGES_DIR}/lib/libtwat_cache.a")
endif()
file(INSTALL "${CURRENT_PACKAGES_DIR}/lib/" DESTINATION "${CURRENT_PACKAGES_DIR}/debug/lib" FILES_MATCHING PATTERN "*.so*" PATTERN "*.a")
vcpkg_fixup_pkgconfig()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/twat_cache)
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
