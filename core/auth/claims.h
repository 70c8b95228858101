/* claims: what a token says, held against what it must say (RFC 7519 section 4.1). */
#ifndef AUTH_CLAIMS_H
#define AUTH_CLAIMS_H

#include "auth/reason.h"

#include <jansson.h>
#include <stdint.h>

#define CLAIMS_EINVALID (-10341)   /* never was meant for here, or is broken, or not yet valid */
#define CLAIMS_EEXPIRED (-10342)   /* all is right but exp */
#define CLAIMS_EFORBIDDEN (-10343) /* is valid, and does not hold the claims that are asked for */

#define CLAIMS_LEEWAY_S 30 /* the usual one */

struct claims_rules {  /* all zeroes: nothing is asked for, no leeway */
    json_t *issuers;   /* array of strings: iss is one of them; NULL: any */
    json_t *audiences; /* array of strings: aud is or holds one of them; NULL: any */
    json_t *required;  /* object: each is equal, or an array that holds an equal one; NULL: none */
    double leeway;     /* seconds, by which clocks may differ */
};

/* Drops the references. */
void claims_rules_fini(struct claims_rules *rules);
/* `now` is Unix time in seconds. 0, or one of the errors above with the reason. */
int claims_check(const json_t *claims, const struct claims_rules *rules, double now,
                 struct reason *why);

#endif
