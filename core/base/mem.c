/* mem: the C allocator without its failure path. An allocation either succeeds or ends the process
 * with a message, so that no caller carries code for a case that is never tested and that
 * overcommit makes unlikely anyway. What makes this sound is a rule elsewhere: each size that comes
 * from a peer or a script is checked against a limit before it gets here.
 *
 * The message is written with write(2) from the stack, since the log allocates, and only where
 * that does not wait: the end must come though nobody reads it. */
#include "base/mem.h"

#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void mem_die(size_t size) {
    char text[64];
    int n = snprintf(text, sizeof(text), "weir: out of memory (%zu bytes asked for)\n", size);
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    ssize_t written = poll(&ready, 1, 0) == 1 ? write(STDERR_FILENO, text, (size_t)n) : 0;
    (void)written; /* there is nowhere left to say so */
    abort();
}

void *mem_alloc(size_t size) {
    void *ptr = malloc(size != 0 ? size : 1);
    if (ptr == NULL)
        mem_die(size);
    return ptr;
}

void *mem_zalloc(size_t size) {
    void *ptr = calloc(1, size != 0 ? size : 1);
    if (ptr == NULL)
        mem_die(size);
    return ptr;
}

void *mem_resize(void *ptr, size_t size) {
    void *moved = realloc(ptr, size != 0 ? size : 1); /* size 0 would free */
    if (moved == NULL)
        mem_die(size);
    return moved;
}

char *mem_copy(const void *ptr, size_t n) {
    char *copy = mem_alloc(n + 1);
    if (n != 0) /* memcpy must not see NULL, whatever n is */
        memcpy(copy, ptr, n);
    copy[n] = '\0';
    return copy;
}

char *mem_strdup(const char *c_string) {
    return mem_copy(c_string, strlen(c_string));
}

/* The sanitizers' allocators are their own. */
size_t mem_used(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    size_t __sanitizer_get_current_allocated_bytes(void);
    return __sanitizer_get_current_allocated_bytes();
#else
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#endif
}
