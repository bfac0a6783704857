# How every target of hq is compiled, and the three ways of declaring one: a room's library, a program, a test.

find_package(Threads REQUIRED)

add_library(hq_flags INTERFACE)
target_compile_definitions(hq_flags INTERFACE _GNU_SOURCE HQ_VERSION="${PROJECT_VERSION}")
target_include_directories(hq_flags INTERFACE ${CMAKE_SOURCE_DIR})
# A text cut at the end of a fixed buffer (hq_reason) is meant: no -Wformat-truncation.
target_compile_options(hq_flags INTERFACE
    -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wundef -Wvla
    -Wformat=2 -Wno-format-truncation -Wimplicit-fallthrough -fno-common -fstack-protector-strong)
target_link_libraries(hq_flags INTERFACE Threads::Threads)
if(HQ_WERROR)
    target_compile_options(hq_flags INTERFACE -Werror)
endif()
if(HQ_SANITIZE)
    target_compile_options(hq_flags INTERFACE -fsanitize=${HQ_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(hq_flags INTERFACE -fsanitize=${HQ_SANITIZE})
    if(HQ_SANITIZE MATCHES undefined)
        target_compile_options(hq_flags INTERFACE -fno-sanitize-recover=undefined)
    endif()
elseif(CMAKE_BUILD_TYPE STREQUAL Release)
    target_compile_options(hq_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()

# Without this the fuzzer sees no branch outside its own file, and searches blindly.
if(HQ_FUZZ)
    target_compile_options(hq_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# hq_room(NAME SOURCES f.c ... [USES hq_base PkgConfig::X ...]): the static library hq_NAME of one room.
function(hq_room name)
    cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
    add_library(hq_${name} STATIC ${ARG_SOURCES})
    target_link_libraries(hq_${name} PUBLIC hq_flags ${ARG_USES})
endfunction()

# hq_program(NAME SOURCES main.c [USES hq_broker ...]): an installed program, hq-NAME, in build/bin.
function(hq_program name)
    cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
    add_executable(hq-${name} ${ARG_SOURCES})
    target_link_libraries(hq-${name} PRIVATE hq_flags ${ARG_USES})
    install(TARGETS hq-${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

# hq_test(ROOM.NAME SOURCES f.c ... [USES hq_ROOM ...] [TIMEOUT s] [LABELS l ...] [ENV "A=b" ...])
# A cmocka program and its entry in CTest under a dotted name, labelled with its room. It runs in a directory of its own.
# Exit code 77 means skipped, and the program says why.
function(hq_test name)
    cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;USES;LABELS;ENV" ${ARGN})
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 180)
    endif()
    string(REPLACE "." "_" target "test_${name}")
    string(REGEX REPLACE "\\..*" "" room "${name}")
    add_executable(${target} ${ARG_SOURCES})
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_link_libraries(${target} PRIVATE hq_flags ${ARG_USES} PkgConfig::CMOCKA)
    set(dir ${CMAKE_BINARY_DIR}/tests/run/${name})
    file(MAKE_DIRECTORY ${dir})
    add_test(NAME ${name} COMMAND ${target} WORKING_DIRECTORY ${dir})
    hq_test_properties(${name} ${room} ${ARG_TIMEOUT} "${ARG_LABELS}" "${ARG_ENV}")
endfunction()

# hq_script_test(ROOM.NAME COMMAND program arg ... [TIMEOUT s] [LABELS l ...] [ENV "A=b" ...])
# Any other program as a test, with the same rules.
function(hq_script_test name)
    cmake_parse_arguments(ARG "" "TIMEOUT" "COMMAND;LABELS;ENV" ${ARGN})
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 300)
    endif()
    string(REGEX REPLACE "\\..*" "" room "${name}")
    set(dir ${CMAKE_BINARY_DIR}/tests/run/${name})
    file(MAKE_DIRECTORY ${dir})
    add_test(NAME ${name} COMMAND ${ARG_COMMAND} WORKING_DIRECTORY ${dir})
    hq_test_properties(${name} ${room} ${ARG_TIMEOUT} "${ARG_LABELS}" "${ARG_ENV}")
endfunction()

# The bound is there for a test that hangs; on a machine that has other things to do, one may take ten times as long as
# on a quiet one. Sanitizers slow a test several times over: its bound grows with them.
function(hq_test_properties name room timeout labels env)
    if(HQ_SANITIZE)
        math(EXPR timeout "${timeout} * 5")
    endif()
    if(HQ_SANITIZE MATCHES address)
        # Without a line on stderr for each suppression that was used: tests read what programs write there.
        list(APPEND env "LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/support/lsan.supp:print_suppressions=0")
    endif()
    if(HQ_SANITIZE MATCHES thread)
        list(APPEND env "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/support/tsan.supp")
    endif()
    # The MongoDB driver's counters lie in shared memory under the process's number. Tests kill processes, which leave
    # theirs behind, and a later process of the same number would warn of it on stderr.
    list(APPEND env "MONGOC_DISABLE_SHM=1")
    set_tests_properties(${name} PROPERTIES TIMEOUT ${timeout} SKIP_RETURN_CODE 77 LABELS "${room};${labels}"
        ENVIRONMENT "HQ_BIN=${CMAKE_BINARY_DIR}/bin;HQ_SOURCE=${CMAKE_SOURCE_DIR};HQ_SANITIZE=${HQ_SANITIZE};${env}")
endfunction()

# hq_fuzz(NAME SOURCES f.c [USES hq_ROOM ...]): a libFuzzer program, built only with HQ_FUZZ=ON and clang.
function(hq_fuzz name)
    cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
    if(NOT HQ_FUZZ)
        return()
    endif()
    add_executable(fuzz_${name} ${ARG_SOURCES})
    set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
    target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(fuzz_${name} PRIVATE hq_flags ${ARG_USES})
endfunction()
