/* conn: one TCP connection: bytes in, bytes out, deadlines on both. */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "base/str.h"
#include "net/loop.h"
#include "net/wqueue.h"

#include <netinet/in.h>
#include <sys/uio.h>

struct conn;

struct conn_ops {
    /* `data` is the loop's read buffer, borrowed for the call. */
    void (*on_data)(struct conn *conn, const char *data, size_t n);
    void (*on_eof)(struct conn *conn);
    /* The peer has ended its side while reading rests: what is unread comes before the EOF, which
     * is told when it is read. Once. NULL: nobody asks. */
    void (*on_hangup)(struct conn *conn);
    /* The write queue sank to `low_mark` after having been above it, or emptied. */
    void (*on_drain)(struct conn *conn);
    /* The conn failed: a reset, a failed write, UV_ETIMEDOUT when a write made no progress. It
     * closes by itself afterwards. */
    void (*on_error)(struct conn *conn, int error);
    /* All is over, nothing refers to the conn any more: free it. Exactly once. */
    void (*on_closed)(struct conn *conn);
};

struct address {
    uint8_t ip[16]; /* an IPv4 address in the first four bytes */
    uint16_t port;
    bool v6;
};

/* Embedded by the protocol, which owns the memory until on_closed. */
struct conn {
    uv_poll_t poll;
    const struct conn_ops *ops;
    struct loop *loop;
    struct wqueue out;
    struct list unsent;    /* in loop->unsent when `out` has new bytes */
    struct timer deadline; /* write progress; the end of lingering */
    int fd;
    uint32_t progress_ms;
    uint32_t low_mark;
    uint32_t
        turn_bytes; /* sent at most in one turn; the rest in the next, so that others get theirs */
    uint64_t taken; /* bytes that the kernel has taken, of all that were written */
    uint64_t owed;  /* up to here: see conn_owe */
    uint32_t lingers; /* when it began to linger, loop_now cut short */
    uint32_t unacked; /* bytes not acknowledged when lingering was last looked at */
    uint16_t look_ms; /* how long before that it was looked at */
    struct address peer;
    bool reading : 1, blocked : 1, above_low : 1, eof : 1, hangup : 1, ending : 1, lingering : 1,
        closing : 1;
    bool came : 1; /* bytes, since lingering was last looked at */
    bool more : 1; /* the peer has more to send */
    bool cut : 1;  /* lingering ends with a reset, once all that is owed has arrived */
};

/* Takes the connected, non-blocking socket `fd`. Reading starts with conn_read. 0 or a libuv error:
 * then `fd` is closed, and on_closed has been called. */
int conn_init(struct conn *conn, struct loop *loop, int fd, const struct conn_ops *ops);
void conn_read(struct conn *conn, bool on);
/* Queues a copy; it leaves at the end of the turn. Bytes after conn_end or the closing are dropped.
 */
void conn_write(struct conn *conn, const void *bytes, size_t n);
/* Sends what is queued, then these bytes, now and as far as the kernel takes them: how many of
 * them. If not all, on_drain comes when there is room again. */
size_t conn_send(struct conn *conn, const struct iovec *iov, int count, size_t bytes);
/* Queues `n` bytes of `slab` without a copy. */
void conn_write_slab(struct conn *conn, struct slab *slab, const char *bytes, size_t n);
/* Room for `n` bytes at the end of the queue, to be filled in and committed at once: what
 * conn_write does, without a copy. */
char *conn_reserve(struct conn *conn, size_t n);
void conn_commit(struct conn *conn, size_t n);
/* Bytes not yet in the kernel. */
size_t conn_queued(const struct conn *conn);
/* Sends what is queued now instead of at the end of the turn. */
void conn_flush(struct conn *conn);
/* Ends the sending side once all is sent, then closes. Of a peer that, as far as is known, has
 * `more` to send, or does send more, all is read and dropped until its EOF, so that a last answer
 * is not destroyed by a reset (RFC 9112 section 9.6): while something goes in either direction, two
 * minutes at most. Of others only the acknowledgement is waited for, 5 s at most. */
void conn_end(struct conn *conn, bool more);
/* What has been written so far arrives whatever becomes of the rest: see conn_cut. */
void conn_owe(struct conn *conn);
/* Closes as conn_close does, but not before the peer has all that was written before conn_owe: a
 * reset destroys what is still on its way. What is queued behind that is dropped. */
void conn_cut(struct conn *conn, bool reset);
#define CONN_LOOK_MS 20 /* from now it is looked whether the peer has it, then ever more seldom */
/* Closes now; with `reset` the peer gets RST instead of FIN. Unsent bytes are dropped. */
void conn_close(struct conn *conn, bool reset);
/* "192.0.2.1" or "2001:db8::1". */
#define ADDRESS_TEXT 46
void address_format(const struct address *address, char out[ADDRESS_TEXT]);

#endif
