/* disk_rig: a disk that fails when the test says so, and whose power can be cut. It stands between
 * SQLite and its own files, for this test program only. */
#ifndef TESTS_DISK_RIG_H
#define TESTS_DISK_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum disk_fault {
    DISK_SYNC,   /* fails as Linux does: what was written since the last sync is lost, and the next
                    one succeeds */
    DISK_RESYNC, /* the same, of a sync with nothing written since the last: a checkpoint's of the
                    log */
    DISK_WRITE,  /* fails, nothing is written */
    DISK_FULL,   /* there is no room, nothing is written */
    DISK_SHORT,  /* there is room for half of it */
    DISK_GROWTH, /* there is no room behind the end of a file, nothing is written; of both files */
};

/* From here on SQLite opens its files through it. Before the first store. */
void disk_init(void);
void disk_fini(void);
/* Forgets what was on the disk, and all faults. No store may be open. */
void disk_clear(void);
/* The next `times` operations of that kind fail, behind `skip` that do not; of the log
 * (weir.db-wal) or of the database itself. One such order at a time; `times` 0 takes it back. */
void disk_fail(enum disk_fault kind, bool log, int skip, int times);
/* How many operations have failed since disk_clear. */
int disk_failures(void);
/* So many syncs that succeeded. */
int disk_syncs(void);
/* Syncs of the log do not end while it is held. */
void disk_hold(bool held);
/* Whether one waits for that. */
bool disk_waits(void);
/* Puts into the folder `to` what is in the files of `from` now, as after a kill -9. */
void disk_copy(const char *from, const char *to);
/* Puts into the folder `to` what would be there had the power gone now: of each file of `from` what
 * was synced. `seed` other than 0: of the rest some writes too, each whole, in part, or not. */
void disk_cut_power(const char *from, const char *to, uint64_t seed);

#endif
