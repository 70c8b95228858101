/* folder: the folder that a store has for itself. For the store's own files. */
#ifndef STORE_FOLDER_H
#define STORE_FOLDER_H

#include <stddef.h>

struct folder {
    char *path, *file; /* the folder and the database in it; NULL: the store is in memory */
    int fd, lock_fd;   /* of the folder and of the lock file, both locked */
};

/* Makes the folder (0700, not those above it) and the database's file (0600), and sees that nobody
 * else has them. 0, or -1 with `why` filled; folder_leave then too. */
int folder_take(struct folder *folder, const char *path, char *why, size_t why_size);
/* The names of the file and its log, which are there when both connections are. Where folders
 * cannot be synced they need not be. 0, or -1 with `why` filled. */
int folder_sync(const struct folder *folder, char *why, size_t why_size);
/* Gives the locks back. Of one that is zeroed it does nothing. */
void folder_leave(struct folder *folder);

#endif
