/* request: a request's head, as the peer sent it.
 *
 * All its bytes lie in one buffer, and fields are offsets into it, so that the buffer may grow
 * while the head arrives in pieces. The protocol fills it in; from then on it does not change.
 * Owned by the protocol until the head is complete, then by the stream. */
#include "http/request.h"

#include "base/mem.h"

#include <stdlib.h>

struct request *request_new(void) {
    struct request *request = mem_zalloc(sizeof *request);
    request->content_length = -1;
    return request;
}

void request_reset(struct request *request) {
    *request = (struct request){.bytes = {request->bytes.data, 0, request->bytes.cap},
                                .fields = request->fields,
                                .fields_cap = request->fields_cap,
                                .content_length = -1};
}

void request_shrink(struct request *request) {
    /* The target and the host point into the bytes, which may move. */
    const char *old = request->bytes.data;
    request->bytes.data = mem_resize(request->bytes.data, request->bytes.len);
    request->bytes.cap = request->bytes.len;
    request->fields = mem_resize(request->fields, request->nfields * sizeof *request->fields);
    request->fields_cap = request->nfields;
    struct str *borrowed[] = {&request->target.scheme, &request->target.authority,
                              &request->target.path, &request->target.query, &request->host};
    for (size_t i = 0; i < sizeof borrowed / sizeof *borrowed; i++)
        if (borrowed[i]->ptr)
            borrowed[i]->ptr = request->bytes.data + (borrowed[i]->ptr - old);
}

void request_free(struct request *request) {
    if (request == NULL)
        return;
    buf_fini(&request->bytes);
    free(request->fields);
    free(request);
}

struct field *request_add_field(struct request *request) {
    if (request->nfields == request->fields_cap) {
        request->fields_cap = request->fields_cap ? request->fields_cap * 2 : 8;
        request->fields =
            mem_resize(request->fields, request->fields_cap * sizeof *request->fields);
    }
    struct field *field = &request->fields[request->nfields++];
    *field = (struct field){.name = (uint32_t)request->bytes.len};
    return field;
}

static struct str piece(const struct request *request, uint32_t at, uint32_t len) {
    return (struct str){request->bytes.data + at, len};
}

struct str request_method(const struct request *request) {
    return piece(request, 0, request->method_len);
}

struct str request_target(const struct request *request) {
    return piece(request, request->method_len, request->target_len);
}

struct str request_field_name(const struct request *request, size_t index) {
    return piece(request, request->fields[index].name, request->fields[index].name_len);
}

struct str request_field_value(const struct request *request, size_t index) {
    return piece(request, request->fields[index].value, request->fields[index].value_len);
}

struct str request_header(const struct request *request, struct str name) {
    for (size_t i = 0; i < request->nfields; i++)
        if (str_eq(request_field_name(request, i), name))
            return request_field_value(request, i);
    return (struct str){NULL, 0};
}
