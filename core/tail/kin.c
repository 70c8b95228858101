/* kin: the older files of a log, found in its folder when a reader comes back.
 *
 *     app.log        now                      kin_look: who was "inode 7, begins so, offset 812"?
 *     app.log.1      after it, all of it          itself, renamed: its inode and its first bytes
 *     app.log.2.gz   found, from 812 on           a copy, packed or not: its first bytes alone
 *
 * Who is looked at: those whose names are rotated ones of the log's, or begin with its own; and
 * the inode that is wanted, under any name. What has no rotated name may be a stranger, also
 * "app.log.secret", for ids come from clients, who may make them up to read what else is in the
 * folder: it is the log only to who knows all of its first bytes, 256 of text. Of a name that
 * stands there packed and unpacked the packed one is still being made.
 *
 * Which came after it: those whose names are rotated ones (the log's name and a number, a date or
 * "old"; the number may stand before the extension), written to later than what was found; at the
 * same time, of which file systems have a few hundred in a second, the lower number is newer.
 * A copy of the file that is there now is none of them: copytruncate is about to truncate that. The
 * first 64 KiB tell, since all files of a log may have the same head.
 *
 * Whoever rotates may do so while the folder is read: a file is missed when it is renamed between
 * the list of names and its being opened, or is seen by two of them. So each name must still be
 * that of the file that it was in the list, or all is read again.
 *
 * At most KIN_LOOKED_AT entries are opened and KIN_MOST given. It runs on pool threads, has no
 * state, and knows nothing of who reads. */
#include "tail/kin.h"

#include "base/buf.h"
#include "base/fault.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND_NS 1000000000ll
#define NO_NUMBER UINT64_MAX
#define READ_TRIES 4
#define COMPARED (64u << 10) /* bytes that tell a copy from a log with the same head */

struct entry {
    char *name;
    struct source *source;
    ino_t ino;
    uint64_t size; /* of what is packed: unknown, UINT64_MAX */
    int64_t time;  /* of the last write, ns */
    uint64_t number;
    bool rotated; /* its name is one of a rotated file */
    char head[PLACE_HEAD];
    size_t head_len;
};

struct folder {
    int fd;
    char *path;
    struct str base, stem, extension; /* of the log: "app.log", "app", ".log"; within `path` */
    struct entry *entries;
    size_t n;
};

/* ---- names ------------------------------------------------------------------------------------*/

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool ends(struct str s, struct str end) {
    return s.len >= end.len && memcmp(s.ptr + s.len - end.len, end.ptr, end.len) == 0;
}

static bool is_packed(struct str name) {
    return ends(name, STR(".gz"));
}

/* Whether what stands behind the log's name is that of a rotated file: ".1", "-20260131", ".old".
 */
static bool is_suffix(struct str suffix, uint64_t *number) {
    *number = NO_NUMBER;
    if (suffix.len < 2 || strchr(".-_", suffix.ptr[0]) == NULL)
        return false;
    struct str rest = {suffix.ptr + 1, suffix.len - 1};
    if (str_eq(rest, STR("old"))) {
        *number = 1;
        return true;
    }
    if (!is_digit(rest.ptr[0]))
        return false;
    for (size_t i = 0; i < rest.len; i++)
        if (!is_digit(rest.ptr[i]) && strchr("-_.:TZ", rest.ptr[i]) == NULL)
            return false;
    if (suffix.ptr[0] == '.' && rest.len <= 6)
        (void)str_to_u64(rest, number);
    return true;
}

static bool is_rotated(const struct folder *folder, struct str name, uint64_t *number) {
    struct str stem = folder->stem, extension = folder->extension;

    if (is_packed(name))
        name.len -= 3;
    if (str_starts(name, folder->base) &&
        is_suffix((struct str){name.ptr + folder->base.len, name.len - folder->base.len}, number))
        return true;
    if (extension.len == 0 || !str_starts(name, stem) || !ends(name, extension) ||
        name.len < stem.len + extension.len)
        return false;
    return is_suffix((struct str){name.ptr + stem.len, name.len - stem.len - extension.len},
                     number);
}

/* ---- what is there ----------------------------------------------------------------------------*/

/* Where the log itself is: behind a link, if one leads somewhere. */
static int folder_open(struct folder *folder, const char *path) {
    char *real = realpath(path, NULL);
    *folder = (struct folder){.path = real ? real : mem_strdup(path)};
    char *copy = mem_strdup(folder->path);
    folder->fd = fault("tail_folder");
    if (folder->fd == 0) {
        folder->fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        folder->fd = folder->fd < 0 ? -errno : folder->fd;
    }
    free(copy);
    const char *slash = strrchr(path, '/'); /* names are those of the path that was asked for */
    free(folder->path);
    folder->path = mem_strdup(slash ? slash + 1 : path);
    folder->base = str_of(folder->path);
    const char *dot = strrchr(folder->path, '.');
    size_t stem = dot && dot > folder->path ? (size_t)(dot - folder->path) : folder->base.len;
    folder->stem = (struct str){folder->path, stem};
    folder->extension = (struct str){folder->path + stem, folder->base.len - stem};
    return folder->fd < 0 ? folder->fd : 0;
}

static void forget_entries(struct folder *folder) {
    while (folder->n > 0) {
        struct entry *entry = &folder->entries[--folder->n];
        source_unref(entry->source);
        free(entry->name);
    }
    free(folder->entries);
    folder->entries = NULL;
}

static void folder_close(struct folder *folder) {
    forget_entries(folder);
    free(folder->path);
    if (folder->fd >= 0)
        close(folder->fd);
}

int64_t kin_time(const struct stat *st) {
    return st->st_mtim.tv_sec * SECOND_NS + st->st_mtim.tv_nsec;
}

/* Reads what tells it from others. 0, or a negative errno: it is nothing that can be read. */
static int entry_read(struct folder *folder, struct entry *entry) {
    struct stat st;
    bool packed = is_packed(str_of(entry->name));

    if (fstatat(folder->fd, entry->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return -errno;
    int rc = S_ISREG(st.st_mode) ? source_open(folder->fd, entry->name, packed, &entry->source)
                                 : -ESPIPE;
    if (rc < 0)
        return rc;
    ssize_t got = source_read(entry->source, entry->head, sizeof entry->head, 0);
    entry->head_len = got > 0 ? (size_t)got : 0;
    entry->ino = st.st_ino;
    entry->size = entry->source->gz ? UINT64_MAX : (uint64_t)st.st_size;
    entry->time = kin_time(&st);
    entry->rotated = is_rotated(folder, str_of(entry->name), &entry->number);
    return 0;
}

/* False: that name has been taken from the file that had it, so others may have moved, too. */
static bool add(struct folder *folder, const char *name, ino_t ino) {
    if (folder->n % 32 == 0)
        folder->entries = mem_resize(folder->entries, (folder->n + 32) * sizeof *folder->entries);
    struct entry *entry = &folder->entries[folder->n];
    *entry = (struct entry){.name = mem_strdup(name)};
    int rc = entry_read(folder, entry);
    if (rc == 0) {
        folder->n++;
        return entry->ino == ino;
    }
    free(entry->name);
    return rc != -ENOENT;
}

/* False: while it was read files were renamed or removed. */
static bool read_once(struct folder *folder, uint64_t ino) {
    int fd = dup(folder->fd);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *at;
    bool still = true;

    if (dir == NULL && fd >= 0)
        close(fd);
    if (dir)
        rewinddir(dir); /* the place is the one that all duplicates have */
    while (dir && folder->n < KIN_LOOKED_AT && (at = readdir(dir)) != NULL) {
        struct str name = str_of(at->d_name);
        uint64_t number;
        if (at->d_ino == ino || str_starts(name, folder->base) || is_rotated(folder, name, &number))
            still &= add(folder, at->d_name, at->d_ino);
    }
    if (dir)
        closedir(dir);
    return still;
}

static void folder_read(struct folder *folder, uint64_t ino) {
    for (int tries = 1; !read_once(folder, ino) && tries < READ_TRIES; tries++)
        forget_entries(folder);
}

static bool is_file(const struct entry *entry, const struct source *source) {
    return entry->ino == source->ino && entry->source->dev == source->dev;
}

/* Whether it is being packed, or has been, and both are there. */
static bool is_doubled(const struct folder *folder, const struct entry *entry) {
    struct str name = str_of(entry->name);
    if (!is_packed(name))
        return false;
    for (size_t i = 0; i < folder->n; i++)
        if (str_eq(str_of(folder->entries[i].name), (struct str){name.ptr, name.len - 3}))
            return true;
    return false;
}

/* ---- the one that is looked for ---------------------------------------------------------------*/

static bool has_mark(const struct entry *entry, const struct kin_wanted *wanted) {
    char bytes[PLACE_HEAD];
    uint64_t from = wanted->place.offset - wanted->mark_len;
    ssize_t got;

    if (wanted->mark == NULL || wanted->mark_len == 0)
        return true;
    do
        got = source_read(entry->source, bytes, wanted->mark_len, from);
    while (got == -EAGAIN);
    return got == (ssize_t)wanted->mark_len && memcmp(bytes, wanted->mark, wanted->mark_len) == 0;
}

/* Whether the place tells so much of a file that nobody has made it up. Records begin with NULs,
 * which is easily guessed. */
static bool is_known(const struct entry *entry, const struct place *place) {
    return place->head_len == PLACE_HEAD && memchr(entry->head, '\0', entry->head_len) == NULL;
}

static bool is_wanted(const struct folder *folder, const struct entry *entry,
                      const struct kin_wanted *wanted, bool itself) {
    if (itself ? entry->ino != wanted->place.ino : wanted->place.head_len == 0)
        return false;
    bool own = entry->rotated || str_eq(str_of(entry->name), folder->base);
    if (!own && !is_known(entry, &wanted->place))
        return false;
    return entry->size >= wanted->place.offset && entry->time >= wanted->since &&
           place_fits(&wanted->place, entry->head, entry->head_len) && !is_doubled(folder, entry) &&
           has_mark(entry, wanted);
}

/* As itself, else of several copies the newest. */
static struct entry *find(const struct folder *folder, const struct kin_wanted *wanted,
                          const struct source *now, bool itself) {
    struct entry *best = NULL;
    for (size_t i = 0; i < folder->n; i++) {
        struct entry *entry = &folder->entries[i];
        if (now && is_file(entry, now) && wanted->mark) /* that one has lost it */
            continue;
        if ((best == NULL || entry->time > best->time) && is_wanted(folder, entry, wanted, itself))
            best = entry;
    }
    return best;
}

/* ---- those after it ---------------------------------------------------------------------------*/

/* Below 0: `a` was written before `b`. */
static int compare(const struct entry *a, const struct entry *b) {
    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    if (a->number != NO_NUMBER && b->number != NO_NUMBER && a->number != b->number)
        return a->number > b->number ? -1 : 1;
    return strcmp(a->name, b->name);
}

static int compare_at(const void *a, const void *b) {
    return compare(*(struct entry *const *)a, *(struct entry *const *)b);
}

/* Whether the first COMPARED bytes, or as many as there are, are also those of the other one. */
static bool begins_as(struct source *source, struct source *other) {
    char *bytes = mem_alloc(2 * COMPARED);
    ssize_t n = source_read(source, bytes, COMPARED, 0);
    bool alike = n > 0 && source_read(other, bytes + COMPARED, (size_t)n, 0) == n &&
                 memcmp(bytes, bytes + COMPARED, (size_t)n) == 0;
    free(bytes);
    return alike;
}

/* Whether it is the beginning of the file that is there now. Logs may all have the same head. */
static bool is_copy(const struct entry *entry, struct source *now) {
    char head[PLACE_HEAD];
    struct stat st;

    if (now == NULL || entry->head_len == 0 || fstat(now->fd, &st) != 0 ||
        (entry->size != UINT64_MAX && entry->size > (uint64_t)st.st_size))
        return false;
    ssize_t got = source_read(now, head, sizeof head, 0);
    return got >= (ssize_t)entry->head_len && memcmp(head, entry->head, entry->head_len) == 0 &&
           begins_as(entry->source, now);
}

/* Whether both begin alike, up to where reading goes on in one of them. */
static bool is_same(const struct entry *a, const struct entry *b, uint64_t offset) {
    char bytes[2][64];
    size_t n = offset < sizeof bytes[0] ? (size_t)offset : sizeof bytes[0];
    size_t head = a->head_len < b->head_len ? a->head_len : b->head_len;

    if (n == 0 || head == 0 || memcmp(a->head, b->head, head) != 0 ||
        !(begins_as(a->source, b->source) || begins_as(b->source, a->source)))
        return false;
    for (int i = 0; i < 2; i++) {
        struct source *source = i ? b->source : a->source;
        ssize_t got;
        do
            got = source_read(source, bytes[i], n, offset - n);
        while (got == -EAGAIN);
        if (got != (ssize_t)n)
            return false;
    }
    return memcmp(bytes[0], bytes[1], n) == 0;
}

/* `found` NULL: whether it came at all. */
static bool comes_after(const struct folder *folder, const struct entry *entry,
                        const struct entry *found, uint64_t offset, struct source *now) {
    if (!entry->rotated || entry == found || is_doubled(folder, entry))
        return false;
    if (now && is_file(entry, now))
        return false;
    if (found == NULL)
        return !is_copy(entry, now);
    if (found->source && is_file(entry, found->source))
        return false;
    return compare(entry, found) > 0 && !is_copy(entry, now) && !is_same(entry, found, offset);
}

/* What `now` is in the folder if it has been rotated since: itself, or what it was packed into.
 * NULL: it has not been. */
static const struct entry *find_rotated(const struct folder *folder, struct source *now) {
    const struct entry *copy = NULL;
    for (size_t i = 0; i < folder->n; i++) {
        const struct entry *entry = &folder->entries[i];
        if (is_file(entry, now))
            return entry->rotated ? entry : NULL;
        if (entry->rotated && is_copy(entry, now) && (!copy || compare(entry, copy) > 0))
            copy = entry;
    }
    return copy;
}

static void collect(const struct folder *folder, const struct entry *found, uint64_t offset,
                    struct source *now, struct kin *out) {
    struct entry **sorted = mem_alloc((folder->n + 1) * sizeof *sorted);
    const struct entry *last = now ? find_rotated(folder, now) : NULL;
    size_t n = 0;

    for (size_t i = 0; i < folder->n; i++)
        if (comes_after(folder, &folder->entries[i], found, offset, now) &&
            (last == NULL || compare(&folder->entries[i], last) < 0))
            sorted[n++] = &folder->entries[i];
    qsort(sorted, n, sizeof *sorted, compare_at);
    for (size_t i = n > KIN_MOST ? n - KIN_MOST : 0; i < n; i++)
        out->after[out->n_after++] = source_ref(sorted[i]->source);
    free(sorted);
}

/* The file that is open, among the entries or as one that has no name any more. */
static struct entry *find_open(const struct folder *folder, struct source *open,
                               struct entry *nameless) {
    struct stat st;
    for (size_t i = 0; i < folder->n; i++)
        if (is_file(&folder->entries[i], open))
            return &folder->entries[i];
    *nameless = (struct entry){.name = "", .source = open, .ino = open->ino, .number = NO_NUMBER};
    if (fstat(open->fd, &st) == 0)
        nameless->time = kin_time(&st);
    return nameless;
}

int kin_look(const char *path, const struct kin_wanted *wanted, struct source *now,
             struct kin *out) {
    struct folder folder;
    struct entry nameless, *found;

    *out = (struct kin){0};
    int rc = folder_open(&folder, path);
    if (rc == 0) {
        folder_read(&folder, wanted->place.ino);
        if (wanted->open) {
            found = find_open(&folder, wanted->open, &nameless);
        } else if ((found = find(&folder, wanted, now, true)) != NULL) {
            out->renamed = true;
        } else {
            found = find(&folder, wanted, now, false);
        }
        if (found) {
            out->found = source_ref(found->source);
            collect(&folder, found, wanted->place.offset, now, out);
        }
    }
    folder_close(&folder);
    return rc;
}

int kin_all(const char *path, struct source *now, struct kin *out) {
    struct folder folder;

    *out = (struct kin){0};
    int rc = folder_open(&folder, path);
    if (rc == 0) {
        folder_read(&folder, now ? now->ino : 0);
        collect(&folder, NULL, 0, now, out);
    }
    folder_close(&folder);
    return rc;
}

void kin_fini(struct kin *kin) {
    source_unref(kin->found);
    for (size_t i = 0; i < kin->n_after; i++)
        source_unref(kin->after[i]);
    *kin = (struct kin){0};
}
