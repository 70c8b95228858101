/* siphash: a keyed hash, with whose results nobody who does not know the key can reckon. */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include "base/str.h"

/* SipHash-1-3 of `bytes`. */
uint64_t siphash13(const uint64_t key[2], struct str bytes);

#endif
