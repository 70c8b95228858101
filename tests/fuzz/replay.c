/* replay: passes saved inputs through a fuzz target without libFuzzer, so that the corpus and past
 * finds are tested by any compiler in any run. Arguments are files or folders; a folder's files
 * count, not what lies in folders inside it. Ends with status 1 when an input cannot be read or
 * there was none: a test that tests nothing must not pass. */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

static int read_all(const char *path, struct buf *out) {
    FILE *file = fopen(path, "rb");
    size_t n;

    if (!file)
        return -1;
    do {
        n = fread(buf_reserve(out, 4096), 1, 4096, file);
        out->len += n;
    } while (n > 0);
    int failed = ferror(file);
    fclose(file);
    return failed ? -1 : 0;
}

/* The name goes out first: after an abort it is the last line. */
static int replay_file(const char *path) {
    struct buf bytes = {0};

    if (read_all(path, &bytes) < 0) {
        fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
        return -1;
    }
    printf("%s\n", path);
    fflush(stdout);
    struct input in = {(const uint8_t *)bytes.data, bytes.len};
    struct str exact = take(&in, bytes.len);
    LLVMFuzzerTestOneInput((const uint8_t *)exact.ptr, exact.len);
    give_back(exact);
    buf_fini(&bytes);
    return 1;
}

/* How many inputs were replayed, in the order of their names, or -1. */
static int replay(const char *path) {
    struct dirent **entries;
    struct stat st;
    int count = 0;

    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return replay_file(path);
    int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0) {
        fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
        return -1;
    }
    for (int i = 0; i < n; i++) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        free(entries[i]);
        if (count >= 0 && (stat(name, &st) < 0 || !S_ISDIR(st.st_mode)))
            count = replay_file(name) < 0 ? -1 : count + 1;
    }
    free(entries);
    return count;
}

int main(int argc, char **argv) {
    int total = 0;

    for (int i = 1; i < argc; i++) {
        int count = replay(argv[i]);
        if (count < 0)
            return 1;
        total += count;
    }
    printf("%d inputs\n", total);
    return total > 0 ? 0 : 1;
}
