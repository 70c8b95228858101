/* key_file: a JWK Set in a file, read again when it changes. */
#ifndef AUTH_KEY_FILE_H
#define AUTH_KEY_FILE_H

#include "auth/key_source.h"

#define KEY_FILE_MAX (1024 * 1024) /* bytes */
#define KEY_FILE_CHECK_MS 1000     /* how often it is looked at, at most */

#define KEY_FILE_EBAD (-10361)

/* The keys of the file at `path` (copied); `only` as in jwks_parse. Keys that are left out are
 * logged. One source for each path and algorithm in the process: who opens it again gets a
 * reference to the same. 0, or KEY_FILE_EBAD with the reason when it cannot be read or holds no
 * usable key. */
int key_file_open(const char *path, const struct alg *only, struct key_source **out,
                  struct reason *why);

#endif
