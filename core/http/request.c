/* request: a request's head, as the peer sent it.
 *
 * All its bytes lie in one buffer, and fields are offsets into it, so that the buffer may grow
 * while the head arrives in pieces. The protocol fills it in; from then on it does not change. That
 * of a stream that stays is sealed: one block of exactly its size, the usual field names left out.
 * Owned by the protocol until the head is complete, then by the stream. */
#include "http/request.h"

#include "base/mem.h"
#include "http/field_names.h"

#include <stdlib.h>
#include <string.h>

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

/* Copies the method, the target and what follows without the usual field names, the path last, at
 * `*path`; returns how many bytes. */
static size_t pack(const struct request *request, struct field *fields, char *bytes,
                   uint32_t *path) {
    size_t len = (size_t)request->method_len + request->target_len;
    memcpy(bytes, request->bytes.data, len);
    for (size_t i = 0; i < request->nfields; i++) {
        struct str name = request_field_name(request, i), value = request_field_value(request, i);
        int number = field_name_number(name);
        fields[i] = (struct field){.name = (uint16_t)(number < 0 ? (int)len : number),
                                   .name_len = number < 0 ? (uint16_t)name.len : 0};
        if (number < 0) {
            memcpy(bytes + len, name.ptr, name.len);
            len += name.len;
        }
        fields[i].value = (uint16_t)len;
        fields[i].value_len = (uint16_t)value.len;
        memcpy(bytes + len, value.ptr, value.len);
        len += value.len;
    }
    *path = request->path ? (uint32_t)len : 0;
    memcpy(bytes + len, request->bytes.data + request->path, request->path_len);
    return len + request->path_len;
}

static void free_buffers(struct request *request) {
    if (!request->sealed)
        buf_fini(&request->bytes);
    free(request->fields);
}

/* One block of exactly its size in place of the buffers. */
static void seal(struct request *request) {
    size_t table = request->nfields * sizeof *request->fields;
    char *block = mem_alloc(table + request->bytes.len);
    uint32_t path;
    size_t len = pack(request, (struct field *)block, block + table, &path);
    free_buffers(request);
    block = mem_resize(block, table + len);
    request->fields = (struct field *)block;
    request->bytes = (struct buf){block + table, len, len};
    request->path = path;
    request->sealed = true;
}

void request_seal(struct request *request) {
    if (!request->sealed && request->bytes.data)
        seal(request);
}

void request_shorten(struct request *request, const struct str *names, size_t n) {
    uint16_t kept = 0;
    for (size_t i = 0; i < request->nfields; i++) {
        struct str name = request_field_name(request, i);
        for (size_t k = 0; k < n; k++)
            if (str_eq(name, names[k]))
                request->fields[kept++] = request->fields[i];
    }
    request->nfields = kept;
    if (request->bytes.data)
        seal(request);
}

void request_free(struct request *request) {
    if (request == NULL)
        return;
    free_buffers(request);
    free(request);
}

struct field *request_add_field(struct request *request) {
    if (request->nfields == request->fields_cap) {
        request->fields_cap = request->fields_cap ? (uint16_t)(request->fields_cap * 2) : 8;
        request->fields =
            mem_resize(request->fields, request->fields_cap * sizeof *request->fields);
    }
    struct field *field = &request->fields[request->nfields++];
    *field = (struct field){.name = (uint16_t)request->bytes.len};
    return field;
}

static struct str piece(const struct request *request, uint32_t at, uint32_t len) {
    const char *bytes = request->bytes.data;
    return (struct str){bytes ? bytes + at : "", len}; /* nothing has come yet */
}

struct str request_target(const struct request *request) {
    return piece(request, request->method_len, request->target_len);
}

static uint16_t offset(const struct request *request, struct str part) {
    return part.ptr ? (uint16_t)(part.ptr - request->bytes.data) : 0;
}

static int read_path(struct request *request, struct str raw) {
    uint32_t at = (uint32_t)request->bytes.len;
    int rc = path_read(raw, &request->bytes);
    if (rc < 0)
        return rc;
    request->path = at;
    request->path_len = (uint16_t)(request->bytes.len - at);
    request->rewritten = request->form == TARGET_ABSOLUTE || rc == PATH_REWRITTEN;
    return 0;
}

static int refuse(const char *reason, const char **why) {
    *why = reason;
    return 400;
}

int request_split_target(struct request *request, const char **why) {
    struct target target;
    buf_reserve(&request->bytes, request->target_len); /* for the path: what borrows stays valid */
    if (url_target(request_target(request), request_method(request), &target) < 0)
        return refuse("malformed target", why);
    request->form = (uint8_t)target.form;
    request->at.query = offset(request, target.query);
    request->at.query_len = (uint16_t)target.query.len;
    request->at.authority = offset(request, target.authority);
    request->at.authority_len = (uint16_t)target.authority.len;
    if (target.form == TARGET_AUTHORITY || target.form == TARGET_ASTERISK)
        return 0;
    int rc = read_path(request, target.path);
    return rc < 0 ? refuse(path_error(rc), why) : 0;
}

struct path request_path(const struct request *request) {
    if (request->path == 0)
        return (struct path){{NULL, 0}};
    return (struct path){{request->bytes.data + request->path, request->path_len}};
}

struct str request_show_target(const struct request *request, struct buf *scratch) {
    if (!request->rewritten)
        return request_target(request);
    struct str query = request_query(request);
    scratch->len = 0;
    path_encode(request_path(request), scratch);
    if (query.ptr)
        buf_add_char(scratch, '?');
    buf_add(scratch, query);
    return buf_str(scratch);
}

struct str request_query(const struct request *request) {
    if (request->at.query == 0)
        return (struct str){NULL, 0};
    return piece(request, request->at.query, request->at.query_len);
}

struct str request_host(const struct request *request) {
    if (request->form == TARGET_ABSOLUTE)
        return piece(request, request->at.authority, request->at.authority_len);
    return request_header(request, STR("host"));
}

struct str request_field_name(const struct request *request, size_t index) {
    const struct field *field = &request->fields[index];
    return field->name_len ? piece(request, field->name, field->name_len)
                           : field_name_of(field->name);
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

bool request_is_for_page(const struct request *request) {
    struct str dest = request_header(request, STR("sec-fetch-dest"));
    struct str accept = request_header(request, STR("accept"));
    if (request_header(request, STR("hx-request")).ptr ||
        request_header(request, STR("x-requested-with")).ptr)
        return false;
    if (dest.ptr)
        return str_eq(dest, STR("document"));
    return accept.ptr == NULL || memmem(accept.ptr, accept.len, "text/html", 9) != NULL;
}
