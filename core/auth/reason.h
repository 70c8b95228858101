/* reason: why something was refused, as one line for the log. */
#ifndef AUTH_REASON_H
#define AUTH_REASON_H

#define REASON_TEXT 320 /* with the NUL; what is longer is cut */

struct reason {
    char text[REASON_TEXT];
};

/* Writes the text as printf would, and returns `code`: `return reason_set(why, JWT_EINVALID, ...)`.
 * May hold bytes that a peer chose: the log escapes them. `why` is not among the arguments. */
int reason_set(struct reason *why, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
