/* file_name: a name that somebody sent, as one that a file may have. */
#ifndef PROTO_FILE_NAME_H
#define PROTO_FILE_NAME_H

#include "base/str.h"

#define FILE_NAME_MAX 255 /* bytes of a name on the usual file systems */

/* Writes a safe name for the file that was sent as `name`, which may be anything, and returns its
 * length: valid UTF-8, one segment, no control characters, neither a dot nor a space at its front
 * or end, not one that means a device to Windows; never empty. A safe name stays as it is. */
size_t file_name_safe(struct str name, char out[FILE_NAME_MAX]);

#endif
