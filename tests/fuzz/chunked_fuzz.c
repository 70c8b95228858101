/* The decoder says the same of a body in whatever pieces it comes, takes no byte behind its end,
 * and reads back what the sending half writes. */
#include "proto/chunked.h"

#include "fuzz.h"

#define LIMIT 64

struct outcome {
    int rc;
    size_t used;
    struct buf data;
};

/* Decodes `body` in pieces whose sizes cycle through those of `cuts`. */
static struct outcome decode(struct str body, struct str cuts) {
    struct chunk_decoder decoder = {.limit = LIMIT};
    struct outcome outcome = {0};
    for (size_t i = 0; outcome.rc == 0 && outcome.used < body.len; i++) {
        size_t n = cuts.len ? (size_t)(unsigned char)cuts.ptr[i % cuts.len] + 1 : body.len;
        struct input rest = {(const uint8_t *)body.ptr + outcome.used, body.len - outcome.used};
        struct str piece = take(&rest, n), in = piece, data;
        do {
            outcome.rc = chunk_decode(&decoder, &in, &data);
            CHECK(data.len == 0 ||
                  (data.ptr >= piece.ptr && data.ptr + data.len <= piece.ptr + piece.len));
            buf_add(&outcome.data, data);
        } while (outcome.rc == 0 && in.len > 0);
        CHECK(in.len <= piece.len);
        outcome.used += piece.len - in.len;
        free((void *)piece.ptr);
    }
    return outcome;
}

static void check_pieces(struct str body, struct str cuts) {
    struct outcome whole = decode(body, (struct str){NULL, 0}), parts = decode(body, cuts);
    CHECK(whole.rc == parts.rc && whole.rc <= 1);
    CHECK(whole.rc >= 0 || whole.rc == CHUNK_EBAD || whole.rc == CHUNK_ELIMIT);
    CHECK(str_eq(buf_str(&whole.data), buf_str(&parts.data)));
    CHECK(whole.rc != 1 || whole.used == parts.used);
    buf_fini(&whole.data);
    buf_fini(&parts.data);
}

/* The bytes sent as chunks of the sizes in `cuts`, with something behind them that is not the
 * body's. */
static void check_round_trip(struct str bytes, struct str cuts) {
    struct buf body = {0};
    for (size_t at = 0, i = 0; at < bytes.len; i++) {
        size_t n = cuts.len ? (size_t)(unsigned char)cuts.ptr[i % cuts.len] + 1 : bytes.len;
        if (n > bytes.len - at)
            n = bytes.len - at;
        char head[CHUNK_HEAD_MAX];
        buf_append(&body, head, chunk_head(head, n));
        buf_append(&body, bytes.ptr + at, n);
        buf_add(&body, STR("\r\n"));
        at += n;
    }
    buf_add(&body, STR(CHUNK_LAST));
    size_t end = body.len;
    buf_add(&body, STR("GET "));
    struct outcome outcome = decode(buf_str(&body), cuts);
    CHECK(outcome.rc == 1 && outcome.used == end);
    CHECK(str_eq(buf_str(&outcome.data), bytes));
    buf_fini(&outcome.data);
    buf_fini(&body);
}

/* The first byte: how many of the next say where to cut; the rest is the body. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    struct str count = take(&in, 1);
    struct str cuts = take(&in, count.len ? (size_t)(unsigned char)count.ptr[0] % 8 : 0);
    struct str body = take(&in, in.left);
    check_pieces(body, cuts);
    check_round_trip(body, cuts);
    free((void *)count.ptr);
    free((void *)cuts.ptr);
    free((void *)body.ptr);
    return 0;
}
