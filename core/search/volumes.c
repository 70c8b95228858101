/* volumes: a log is a file, and those that it was before it was rotated.
 *
 *     app.log.2.gz   app.log.1   app.log          volumes_open: all of them are open from now on,
 *          0             1          2             whatever they are renamed to or replaced by
 *
 * A search that takes minutes is of the log as it was when it began: files that come later are not
 * in it, and of the newest one only what it had. What is truncated under it, and perhaps filled
 * again, is in a copy, if that is how the log is rotated; the copy is found by its first bytes
 * (tail/kin), and takes its place.
 *
 * Owned by who reads one log, on one thread at a time. It knows nothing of lines. */
#include "search/volumes.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Takes the reference. */
static void add(struct volumes *volumes, struct source *source) {
    struct volume *volume = &volumes->all[volumes->n];
    struct stat st;

    ssize_t got = source_read(source, volume->first, sizeof volume->first, 0);
    if (got <= 0 || fstat(source->fd, &st) != 0) { /* nothing can be found in it */
        source_unref(source);
        return;
    }
    volume->source = source;
    volume->packed = source->gz != NULL;
    volume->size = (uint64_t)st.st_size;
    volume->head = (struct place){.ino = source->ino, .head_len = (uint32_t)got};
    volume->head.hash = place_hash(volume->first, (size_t)got);
    volumes->n++;
}

static bool is_absent(int error) {
    return error == -ENOENT || error == -ENOTDIR;
}

int volumes_open(struct volumes *volumes, const char *path) {
    struct source *now = NULL;
    struct kin kin;

    *volumes = (struct volumes){.path = mem_strdup(path)};
    if (source_scarce())
        return -EMFILE;
    size_t len = strlen(path);
    bool packed = len > 3 && strcmp(path + len - 3, ".gz") == 0;
    int rc = source_open(AT_FDCWD, path, packed, &now);
    if (rc < 0 && !is_absent(rc))
        return rc;
    rc = kin_all(path, now, &kin);
    for (size_t i = 0; i < kin.n_after; i++)
        add(volumes, source_ref(kin.after[i]));
    kin_fini(&kin);
    size_t older = volumes->n;
    if (now)
        add(volumes, now);
    volumes->has_newest = volumes->n > older;
    return is_absent(rc) ? 0 : rc;
}

void volumes_fini(struct volumes *volumes) {
    for (size_t i = 0; i < volumes->n; i++)
        source_unref(volumes->all[i].source);
    free(volumes->path);
    *volumes = (struct volumes){0};
}

int volumes_find(const struct volumes *volumes, const struct place *place) {
    int copy = -1;

    for (size_t i = volumes->n; i-- > 0;) {
        const struct volume *volume = &volumes->all[i];
        if (!place_fits(place, volume->first, volume->head.head_len) ||
            (!volume->packed && place->offset > volume->size))
            continue;
        if (volume->source->ino == place->ino)
            return (int)i;
        if (copy < 0 && place->head_len > 0)
            copy = (int)i;
    }
    return copy;
}

struct place volumes_place(const struct volumes *volumes, size_t i, uint64_t offset) {
    struct place place = volumes->all[i].head;
    place.offset = offset;
    return place;
}

bool volumes_intact(const struct volumes *volumes, size_t i) {
    const struct volume *volume = &volumes->all[i];
    size_t n = volume->head.head_len;
    char first[PLACE_HEAD];

    if (volume->packed)
        return true; /* nobody writes to it */
    return pread(volume->source->fd, first, n, 0) == (ssize_t)n &&
           memcmp(first, volume->first, n) == 0;
}

bool volumes_mend(struct volumes *volumes, size_t i, uint64_t offset) {
    struct volume *volume = &volumes->all[i];
    struct kin_wanted wanted = {.place = volumes_place(volumes, i, offset)};
    struct kin kin;

    if (kin_look(volumes->path, &wanted, NULL, &kin) == 0 && kin.found &&
        (kin.found->ino != volume->source->ino || kin.found->dev != volume->source->dev)) {
        source_unref(volume->source);
        volume->source = source_ref(kin.found);
        volume->packed = volume->source->gz != NULL;
        kin_fini(&kin);
        return true;
    }
    kin_fini(&kin);
    return false;
}
