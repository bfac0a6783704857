# cmake -DFOLDER=… -DHEADER=… -P SourcePrint.cmake: a header with a hash of what reads files, so that plans and columns which
# another version of the reader has made are none of this one's. Untouched if nothing has changed.
file(GLOB sources ${FOLDER}/data/*.c ${FOLDER}/data/*.h ${FOLDER}/base/schema.c ${FOLDER}/base/schema.h ${FOLDER}/base/column.h)
list(SORT sources)
set(hashes "")
foreach(source IN LISTS sources)
    file(SHA256 ${source} hash)
    string(APPEND hashes ${hash})
endforeach()
string(SHA256 print "${hashes}")
file(WRITE ${HEADER}.new "/* Made by cmake/SourcePrint.cmake. */\n#define HQ_READER_PRINT \"${print}\"\n")
configure_file(${HEADER}.new ${HEADER} COPYONLY)
