/* gate: who may ask the admin endpoint. */
#ifndef OPS_GATE_H
#define OPS_GATE_H

#include "http/stream.h"

#define GATE_TOKEN_MIN 16 /* bytes; fewer can be guessed */
#define GATE_TOKEN_MAX 256
#define GATE_WHY_BYTES 512

struct gate {
    const char *host;           /* by which it is asked, beside addresses and "localhost" */
    char token[GATE_TOKEN_MAX]; /* "": whoever can connect may ask */
};

/* Reads the token from the file's one line. 0, or -1 with `why` filled. */
int gate_read_token(struct gate *gate, const char *path, char why[GATE_WHY_BYTES]);
/* Whether the socket `fd` is bound to an address that only this machine reaches. */
bool gate_is_loopback(int fd);
/* 0, or the status that refuses the request, with the reason in `*why`. */
int gate_judge(const struct gate *gate, const struct stream *stream, const char **why);

#endif
