/* mem: allocation that cannot fail. Out of memory aborts with a message: every size that a peer or
 * a script controls has a limit of its own, so running out is a fault of the machine, not an input.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* What these return is never NULL and goes back with free(). */
void *mem_alloc(size_t size);              /* size 0 is allowed */
void *mem_zalloc(size_t size);             /* zeroed */
void *mem_resize(void *ptr, size_t size);  /* realloc, but size 0 keeps a block */
char *mem_copy(const void *ptr, size_t n); /* n bytes and a terminating NUL */
char *mem_strdup(const char *c_string);    /* not of NULL */
/* What the process holds of malloc's now, in bytes: for tests, it is slow. */
size_t mem_used(void);
/* For others that allocate: says that `size` bytes were not to be had, and aborts. */
void mem_die(size_t size) __attribute__((noreturn));

#endif
