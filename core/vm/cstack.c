/* cstack: the C stack of a thread that runs Lua.
 *
 *     |guard page|  ROOM: for one coroutine  |  coroutines within coroutines  | the loop |
 *      low                                    ^ here cstack_is_deep begins            high
 *
 * Lua counts how deep a coroutine calls in slots of its own stack, of which there are 65,500. A C
 * function that calls back (string.gsub, table.sort, load) takes C stack for each level besides,
 * string.gsub most: 8.5 KiB, for the buffer that it fills. So the stack is so large that the
 * coroutine's own end comes first, whatever it calls: ROOM. And since each coroutine counts again,
 * who resumes one asks first whether there is room for all that it could do.
 *
 * Of the size that is asked for only what was used takes memory; what lies unused goes back by
 * cstack_trim. A machine that has not so much gives a part of it, and then ROOM is a part too. */
#include "vm/cstack.h"

#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define MOST_BYTES ((size_t)256 << 20)
#define LEAST_BYTES ((size_t)8 << 20)
#define ROOM(size) ((size) / 8 * 3)
#define KEPT_BYTES ((uintptr_t)256 << 10) /* below the caller, for what it is about to call */
#define PAGE_BYTES ((uintptr_t)4096)

struct start {
    void *(*run)(void *);
    void *arg;
};

/* Of this thread; 0: nothing is known of its stack. */
static _Thread_local uintptr_t low, deep;

static uintptr_t here(void) {
    return (uintptr_t)__builtin_frame_address(0);
}

static void learn(void) {
    pthread_attr_t attributes;
    void *address = NULL;
    size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    (void)pthread_attr_getstack(&attributes, &address, &size);
    pthread_attr_destroy(&attributes);
    low = (uintptr_t)address;
    deep = low + ROOM(size);
}

static void *begin(void *arg) {
    struct start start = *(struct start *)arg;
    free(arg);
    learn();
    return start.run(start.arg);
}

static int try_size(pthread_t *thread, size_t size, struct start *start) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, size);
    int rc = pthread_create(thread, &attributes, begin, start);
    pthread_attr_destroy(&attributes);
    return rc;
}

int cstack_start(pthread_t *thread, void *(*run)(void *), void *arg) {
    struct start *start = mem_alloc(sizeof *start);
    *start = (struct start){run, arg};
    int rc = ENOMEM;
    for (size_t size = MOST_BYTES; rc != 0 && size >= LEAST_BYTES; size /= 2)
        rc = try_size(thread, size, start);
    if (rc != 0)
        free(start);
    return rc;
}

struct call {
    int (*main)(int, char **);
    int argc;
    char **argv;
    int result;
};

static void *run_call(void *arg) {
    struct call *call = arg;
    call->result = call->main(call->argc, call->argv);
    return NULL;
}

int cstack_call(int (*main)(int, char **), int argc, char **argv) {
    struct call call = {.main = main, .argc = argc, .argv = argv};
    pthread_t thread;
    if (cstack_start(&thread, run_call, &call) != 0)
        return main(argc, argv);
    pthread_join(thread, NULL);
    return call.result;
}

bool cstack_is_deep(void) {
    return here() < deep;
}

void cstack_trim(void) {
    uintptr_t end = (here() - KEPT_BYTES) & ~(PAGE_BYTES - 1);
    if (low && end > low)
        madvise((void *)low, end - low, MADV_DONTNEED);
}
