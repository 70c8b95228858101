/* media: the content type of a file by its extension. */
#ifndef PROTO_MEDIA_H
#define PROTO_MEDIA_H

#include "base/str.h"

/* By the last extension of `path`, ASCII case ignored; text types carry "; charset=utf-8". Unknown
 * or none: "application/octet-stream". */
const char *media_type_of(struct str path);

#endif
