/* watch: one folder seen through inotify.
 *
 * A folder and not a file, because a file's watch stays with the file when it is renamed, and what
 * the owner cares about is whatever stands under the name.
 *
 *     off --watch_start--> on --watch_start--> on, another folder
 *                           |--folder moved or removed--> on_change(NULL), the owner starts again
 *
 * It is a hint and no more: the kernel drops events when its queue is full, a network file system
 * tells nothing of other machines' writes, and behind a symbolic link nothing is seen. So an owner
 * looks by itself from time to time. libuv reports a change of the folder itself under the folder's
 * own name; an entry of that name cannot be told from it, and costs its owner a restart for each of
 * its events.
 *
 * Embedded by its owner, which frees it from on_closed. It knows nothing of what is in the files.
 */
#include "net/watch.h"

#include "base/fault.h"

#include <string.h>

static void on_event(uv_fs_event_t *event, const char *name, int events, int status) {
    struct watch *watch = CONTAINER_OF(event, struct watch, event);
    const char *slash = strrchr(watch->folder, '/');
    const char *own = slash ? slash + 1 : watch->folder;

    if (status < 0 || (name != NULL && strcmp(name, own) == 0))
        name = NULL;
    watch->on_change(watch, name, events & UV_RENAME);
}

void watch_init(struct watch *watch, struct loop *loop,
                void (*on_change)(struct watch *, const char *, bool)) {
    *watch = (struct watch){.on_change = on_change};
    uv_fs_event_init(&loop->uv, &watch->event); /* only links the handle: cannot fail */
}

int watch_start(struct watch *watch, const char *folder) {
    int rc = fault("watch_start");

    uv_fs_event_stop(&watch->event);
    watch->folder = folder;
    return rc < 0 ? rc : uv_fs_event_start(&watch->event, on_event, folder, 0);
}

bool watch_is_on(const struct watch *watch) {
    return uv_is_active((const uv_handle_t *)&watch->event);
}

static void on_close(uv_handle_t *handle) {
    struct watch *watch = CONTAINER_OF((uv_fs_event_t *)handle, struct watch, event);
    watch->on_closed(watch);
}

void watch_close(struct watch *watch, void (*on_closed)(struct watch *)) {
    watch->on_closed = on_closed;
    uv_close((uv_handle_t *)&watch->event, on_close);
}
