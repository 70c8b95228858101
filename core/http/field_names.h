/* field_names: the names of header fields that browsers and clients send, so that a head that is
 * kept long need not keep them. */
#ifndef HTTP_FIELD_NAMES_H
#define HTTP_FIELD_NAMES_H

#include "base/str.h"

/* The number of a lower-case field name, or -1: not one of the usual ones. */
int field_name_number(struct str name);
struct str field_name_of(int number);

#endif
