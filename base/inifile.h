/* base/inifile.h - configuration files: "key = value" lines under [sections], read through libinih.
 *
 * A line beginning with '#' or ';' is a comment, and so is what follows " ;" on a line. A line that is indented goes on
 * with the key above it: the handler is called again with the same key. libinih cuts long lines and names without a
 * word; here they are refused.
 */
#ifndef HQ_BASE_INIFILE_H
#define HQ_BASE_INIFILE_H

#include <stdio.h>

#include "base/error.h"

/* Called for each key, in the order of the file; section is "" before the first. An error ends the reading, and its
 * reason is given on with "file:line: " before it. */
typedef hq_error inifile_handler(void *context, const char *section, const char *key, const char *value,
                                 hq_reason *reason);

/* HQ_ENOTFOUND or HQ_EIO for a file that cannot be read, HQ_EINVAL for a line that is neither, else what the handler
 * gave. */
hq_error inifile_read(const char *path, inifile_handler *handler, void *context, hq_reason *reason);

/* The same from a stream that is open; name stands for it in reasons. */
hq_error inifile_read_stream(FILE *stream, const char *name, inifile_handler *handler, void *context,
                             hq_reason *reason);

#endif
