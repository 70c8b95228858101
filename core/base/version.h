/* version: which Weir this is, from the build. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

extern const char weir_version[]; /* "0.1.0" */

#endif
