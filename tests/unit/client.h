/* client: the far end of a connection under test: sends bytes, keeps what comes, and reads it as an
 * HTTP/1.1 client does. */
#ifndef TESTS_CLIENT_H
#define TESTS_CLIENT_H

#include "base/buf.h"

struct client {
    int fd; /* non-blocking; -1: closed */
    struct buf got;
    bool eof, reset;
};

/* Takes `fd`. */
void client_init(struct client *client, int fd);
void client_fini(struct client *client);
/* How many bytes the kernel took; 0 also when the connection is gone. */
size_t client_send(struct client *client, const char *bytes, size_t n);
/* Takes all that is here now; at most `n` bytes with client_read_some. */
void client_read(struct client *client);
void client_read_some(struct client *client, size_t n);
/* Waits until something is here to be read, so many milliseconds at most. */
void client_wait(const struct client *client, int ms);
/* Ends the sending side. */
void client_end(struct client *client);
/* Closes; with `reset` so that a TCP peer sees a reset. */
void client_close(struct client *client, bool reset);
/* The server has ended or reset the connection. */
static inline bool client_is_over(const struct client *client) {
    return client->eof || client->reset;
}

/* What a transcript shows. */
enum transcript {
    WHOLE, /* all */
    BRIEF, /* no lengths and no bodies */
    HEADS  /* the answers to HEAD requests: they have no bodies */
};

/* What was received, read by RFC 9112 section 6.3: for each answer its status, how the body is
 * delimited (length:N, chunked, to-end, none), "close" or "keep-alive" as Connection says, the body
 * (its size if it is long), "cut" if it is incomplete; then whether the connection is "open", at
 * its "eof" or "reset". As in
 *
 *     100 none; 200 chunked abc; 400 length:12 close 400 tells why; eof
 *
 * An answer that breaks a rule which holds for all of them fails the test. The text is valid until
 * the next call. */
const char *client_transcript(const struct client *client, enum transcript what);
/* The value of a field of the first answer that has it; ptr NULL: none has. */
struct str client_field(const struct client *client, const char *name);

#endif
