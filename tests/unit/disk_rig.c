/* The disk under SQLite: see the header.
 *
 *     xWrite --> the real file, and a note [offset, length]        what any program reads
 *     xSync  --> what was noted goes into the image, notes gone     what a power cut leaves
 *     xSync that fails --> notes gone
 *
 * The last line is what kernels do: pages that could not be written are marked clean, so that the
 * next sync has nothing to do and says that all is well. */
#include "disk_rig.h"

#include "base/buf.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 64 };

struct note {
    sqlite3_int64 at;
    int len;
};

struct image { /* of one file */
    char *path;
    struct buf durable;
    struct note *notes;
    size_t count, cap;
};

struct file {
    sqlite3_file base;
    struct image *image; /* NULL: a file that is no business of the disk's */
    sqlite3_file *real;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;
static bool held, waits;
static sqlite3_vfs *under, over;
static sqlite3_io_methods methods;
static struct image images[IMAGES];
static int count, failures, syncs;
static struct {
    enum disk_fault kind;
    bool log;
    int skip, times;
} order;

static struct file *of(sqlite3_file *file) {
    return (struct file *)file;
}

static bool is_log(const struct image *image) {
    size_t n = strlen(image->path);
    return n > 4 && strcmp(image->path + n - 4, "-wal") == 0;
}

/* Whether this sync, or write, is the kind that is to fail. */
static bool is_meant(const struct image *image, bool sync) {
    if (order.kind == DISK_SYNC)
        return sync;
    if (order.kind == DISK_RESYNC)
        return sync && image->count == 0;
    return !sync;
}

/* Whether this operation is to fail. */
static bool fails(const struct image *image, bool sync) {
    if (order.times == 0 || image == NULL || !is_meant(image, sync))
        return false;
    if (order.kind != DISK_GROWTH && is_log(image) != order.log)
        return false;
    if (order.skip > 0) {
        order.skip--;
        return false;
    }
    order.times--;
    failures++;
    return true;
}

/* --- images --- */

static struct image *find_image(const char *path) {
    for (int i = 0; i < count; i++)
        if (strcmp(images[i].path, path) == 0)
            return &images[i];
    return NULL;
}

static void drop_notes(struct image *image) {
    free(image->notes);
    image->notes = NULL;
    image->count = image->cap = 0;
}

static void note(struct image *image, sqlite3_int64 at, int len) {
    if (image->count == image->cap) {
        image->cap = image->cap ? image->cap * 2 : 64;
        image->notes = mem_resize(image->notes, image->cap * sizeof *image->notes);
    }
    image->notes[image->count++] = (struct note){at, len};
}

/* With nothing but zeroes behind its end. */
static void lengthen(struct buf *to, size_t end) {
    static const char zeroes[4096];
    while (to->len < end)
        buf_append(to, zeroes, end - to->len < sizeof zeroes ? end - to->len : sizeof zeroes);
}

/* Puts what the file has there now into `to`. */
static void copy_range(sqlite3_file *real, struct buf *to, sqlite3_int64 at, int len) {
    sqlite3_int64 size = 0;
    real->pMethods->xFileSize(real, &size);
    if (at + len > size)
        len = size > at ? (int)(size - at) : 0;
    lengthen(to, (size_t)at + (size_t)len);
    if (len > 0)
        real->pMethods->xRead(real, to->data + at, len, at);
}

/* The file as it is, when the disk first sees it. */
static struct image *see_file(const char *path, sqlite3_file *real) {
    struct image *image = find_image(path);
    if (image)
        return image;
    assert_true(count < IMAGES);
    image = &images[count++];
    *image = (struct image){.path = mem_strdup(path)};
    sqlite3_int64 size = 0;
    real->pMethods->xFileSize(real, &size);
    copy_range(real, &image->durable, 0, (int)size);
    return image;
}

/* --- files --- */

static int on_close(sqlite3_file *file) {
    return of(file)->real->pMethods->xClose(of(file)->real);
}

static int on_read(sqlite3_file *file, void *to, int len, sqlite3_int64 at) {
    return of(file)->real->pMethods->xRead(of(file)->real, to, len, at);
}

static bool grows(sqlite3_file *real, sqlite3_int64 end) {
    sqlite3_int64 size = 0;
    real->pMethods->xFileSize(real, &size);
    return end > size;
}

static int on_write(sqlite3_file *file, const void *from, int len, sqlite3_int64 at) {
    struct image *image = of(file)->image;
    sqlite3_file *real = of(file)->real;
    pthread_mutex_lock(&lock);
    bool bad = (order.kind != DISK_GROWTH || grows(real, at + len)) && fails(image, false);
    enum disk_fault kind = order.kind;
    int rc = bad && kind != DISK_SHORT
                 ? SQLITE_OK
                 : real->pMethods->xWrite(real, from, bad ? len / 2 : len, at);
    if (image && rc == SQLITE_OK && (!bad || kind == DISK_SHORT))
        note(image, at, bad ? len / 2 : len);
    pthread_mutex_unlock(&lock);
    if (bad)
        return kind == DISK_WRITE ? SQLITE_IOERR_WRITE : SQLITE_FULL;
    return rc;
}

static int on_truncate(sqlite3_file *file, sqlite3_int64 size) {
    return of(file)->real->pMethods->xTruncate(of(file)->real, size);
}

static int on_sync(sqlite3_file *file, int flags) {
    struct image *image = of(file)->image;
    (void)flags;
    if (image == NULL)
        return SQLITE_OK;
    pthread_mutex_lock(&lock);
    while ((waits = held && is_log(image)))
        pthread_cond_wait(&released, &lock);
    bool bad = fails(image, true);
    sqlite3_int64 size = 0;
    of(file)->real->pMethods->xFileSize(of(file)->real, &size);
    for (size_t i = 0; i < image->count && !bad; i++)
        copy_range(of(file)->real, &image->durable, image->notes[i].at, image->notes[i].len);
    if (!bad && image->durable.len > (size_t)size)
        image->durable.len = (size_t)size;
    drop_notes(image);
    syncs += !bad;
    pthread_mutex_unlock(&lock);
    return bad ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int on_size(sqlite3_file *file, sqlite3_int64 *size) {
    return of(file)->real->pMethods->xFileSize(of(file)->real, size);
}

static int on_lock(sqlite3_file *file, int level) {
    return of(file)->real->pMethods->xLock(of(file)->real, level);
}

static int on_unlock(sqlite3_file *file, int level) {
    return of(file)->real->pMethods->xUnlock(of(file)->real, level);
}

static int on_check_lock(sqlite3_file *file, int *out) {
    return of(file)->real->pMethods->xCheckReservedLock(of(file)->real, out);
}

static int on_control(sqlite3_file *file, int what, void *arg) {
    return of(file)->real->pMethods->xFileControl(of(file)->real, what, arg);
}

static int on_sector(sqlite3_file *file) {
    return of(file)->real->pMethods->xSectorSize(of(file)->real);
}

static int on_traits(sqlite3_file *file) {
    return of(file)->real->pMethods->xDeviceCharacteristics(of(file)->real);
}

static int on_map(sqlite3_file *file, int page, int size, int extend, void volatile **out) {
    return of(file)->real->pMethods->xShmMap(of(file)->real, page, size, extend, out);
}

static int on_shm_lock(sqlite3_file *file, int at, int n, int flags) {
    return of(file)->real->pMethods->xShmLock(of(file)->real, at, n, flags);
}

static void on_barrier(sqlite3_file *file) {
    of(file)->real->pMethods->xShmBarrier(of(file)->real);
}

static int on_unmap(sqlite3_file *file, int delete) {
    return of(file)->real->pMethods->xShmUnmap(of(file)->real, delete);
}

static int on_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out) {
    (void)vfs;
    struct file *mine = of(file);
    mine->image = NULL;
    mine->real = (sqlite3_file *)(mine + 1);
    int rc = under->xOpen(under, path, mine->real, flags, out);
    file->pMethods = mine->real->pMethods ? &methods : NULL;
    if (rc == SQLITE_OK && (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL))) {
        pthread_mutex_lock(&lock);
        mine->image = see_file(path, mine->real);
        pthread_mutex_unlock(&lock);
    }
    return rc;
}

/* With the folder synced, as SQLite asks for it where it matters. */
static int on_delete(sqlite3_vfs *vfs, const char *path, int sync) {
    (void)vfs;
    pthread_mutex_lock(&lock);
    struct image *image = find_image(path);
    if (image) {
        drop_notes(image);
        image->durable.len = 0;
    }
    pthread_mutex_unlock(&lock);
    return under->xDelete(under, path, sync);
}

/* --- the test's side --- */

void disk_init(void) {
    under = sqlite3_vfs_find(NULL);
    over = *under;
    over.zName = "disk_rig";
    over.szOsFile = (int)sizeof(struct file) + under->szOsFile;
    over.xOpen = on_open;
    over.xDelete = on_delete;
    methods = (sqlite3_io_methods){2,          on_close,  on_read,   on_write,  on_truncate,
                                   on_sync,    on_size,   on_lock,   on_unlock, on_check_lock,
                                   on_control, on_sector, on_traits, on_map,    on_shm_lock,
                                   on_barrier, on_unmap,  NULL,      NULL};
    sqlite3_vfs_register(&over, 1);
}

void disk_fini(void) {
    disk_clear();
    sqlite3_vfs_unregister(&over);
    sqlite3_vfs_register(under, 1);
}

void disk_clear(void) {
    pthread_mutex_lock(&lock);
    while (count > 0) {
        struct image *image = &images[--count];
        drop_notes(image);
        buf_fini(&image->durable);
        free(image->path);
    }
    order.times = failures = syncs = 0;
    pthread_mutex_unlock(&lock);
}

void disk_fail(enum disk_fault kind, bool log, int skip, int times) {
    pthread_mutex_lock(&lock);
    order.kind = kind;
    order.log = log;
    order.skip = skip;
    order.times = times;
    pthread_mutex_unlock(&lock);
}

void disk_hold(bool hold) {
    pthread_mutex_lock(&lock);
    held = hold;
    pthread_cond_broadcast(&released);
    pthread_mutex_unlock(&lock);
}

bool disk_waits(void) {
    pthread_mutex_lock(&lock);
    bool does = waits && held;
    pthread_mutex_unlock(&lock);
    return does;
}

int disk_failures(void) {
    pthread_mutex_lock(&lock);
    int n = failures;
    pthread_mutex_unlock(&lock);
    return n;
}

int disk_syncs(void) {
    pthread_mutex_lock(&lock);
    int n = syncs;
    pthread_mutex_unlock(&lock);
    return n;
}

static uint64_t draw(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Of what was written and not synced, some. */
static void add_unsynced(const struct image *image, struct buf *to, FILE *real, uint64_t *seed) {
    for (size_t i = 0; i < image->count; i++) {
        size_t at = (size_t)image->notes[i].at, len = (size_t)image->notes[i].len;
        uint64_t how = draw(seed) % 3;
        if (how == 0)
            continue;
        if (how == 1)
            len /= 2;
        char *bytes = mem_alloc(len + 1);
        if (fseek(real, (long)at, SEEK_SET) == 0)
            len = fread(bytes, 1, len, real);
        lengthen(to, at + len);
        memcpy(to->data + at, bytes, len);
        free(bytes);
    }
}

static void put_file(const struct image *image, const char *to, struct buf *left) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", to, strrchr(image->path, '/') + 1);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(left->data ? left->data : "", 1, left->len, out), left->len);
    assert_int_equal(fclose(out), 0);
    buf_fini(left);
}

static void leave_file(const struct image *image, const char *to, uint64_t *seed) {
    struct buf left = {0};
    buf_add(&left, buf_str(&image->durable));
    FILE *real = fopen(image->path, "rb");
    if (real && *seed)
        add_unsynced(image, &left, real, seed);
    if (real)
        fclose(real);
    put_file(image, to, &left);
}

static void copy_file(const struct image *image, const char *to) {
    struct buf left = {0};
    char bytes[4096];
    size_t n;
    FILE *real = fopen(image->path, "rb");
    while (real && (n = fread(bytes, 1, sizeof bytes, real)) > 0)
        buf_append(&left, bytes, n);
    if (real)
        fclose(real);
    put_file(image, to, &left);
}

static bool is_in(const struct image *image, const char *folder) {
    size_t n = strlen(folder);
    return strncmp(image->path, folder, n) == 0 && image->path[n] == '/';
}

void disk_cut_power(const char *from, const char *to, uint64_t seed) {
    pthread_mutex_lock(&lock);
    for (int i = 0; i < count; i++)
        if (is_in(&images[i], from))
            leave_file(&images[i], to, &seed);
    pthread_mutex_unlock(&lock);
}

void disk_copy(const char *from, const char *to) {
    pthread_mutex_lock(&lock);
    for (int i = 0; i < count; i++)
        if (is_in(&images[i], from))
            copy_file(&images[i], to);
    pthread_mutex_unlock(&lock);
}
