# SPDX-License-Identifier: Apache-2.0
# Every library that Warren links, as imported targets. packages.txt lists Debian's packages.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(Civetweb REQUIRED)
pkg_check_modules(rabbitmq REQUIRED IMPORTED_TARGET librabbitmq>=0.11)
pkg_check_modules(uv REQUIRED IMPORTED_TARGET libuv>=1.44)
pkg_check_modules(jansson REQUIRED IMPORTED_TARGET jansson>=2.14)
pkg_check_modules(curl REQUIRED IMPORTED_TARGET libcurl>=7.88)
pkg_check_modules(sqlite REQUIRED IMPORTED_TARGET sqlite3>=3.40)
if(BUILD_TESTING)
  pkg_check_modules(cmocka REQUIRED IMPORTED_TARGET cmocka)
endif()
