/* reading: what a log is read with, backward or forward: its files, one block of memory, the rules
 * and what was found.
 *
 *     volumes --backward, forward: a block--> pick --> matches --> inquiry
 *
 * The block is twice as long as a line may be, so that what fills half of it without an LF is a
 * line that is too long, in any case. Owned by an inquiry, one for each log; one thread at a
 * time. */
#include "search/reading.h"

#include "base/mem.h"

#include <stdlib.h>

int reading_open(struct reading *reading, const char *path) {
    size_t least = 2 * reading->pick.max_line + 4;

    if (reading->room == 0)
        reading->room = least > READING_ROOM ? least : READING_ROOM;
    reading->block = mem_alloc(reading->room);
    reading->pick.into = &reading->matches;
    pick_init(&reading->pick);
    matches_clear(&reading->matches, 1);
    return volumes_open(&reading->volumes, path);
}

void reading_close(struct reading *reading) {
    if (reading->block == NULL)
        return;
    volumes_fini(&reading->volumes);
    pick_fini(&reading->pick);
    matches_fini(&reading->matches);
    free(reading->block);
    reading->block = NULL;
}

void reading_count(struct reading *reading, size_t i, uint64_t n, bool over) {
    const struct volume *volume = &reading->volumes.all[i];
    if (volume->packed)
        n = over ? volume->size : 0;
    reading->bytes += n;
}

uint64_t reading_size(const struct reading *reading) {
    uint64_t size = 0;
    for (size_t i = 0; i < reading->volumes.n; i++)
        size += reading->volumes.all[i].size;
    return size;
}
