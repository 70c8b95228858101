/* temporary: the names that files have while they are being written, and those that are left. */
#ifndef NET_TEMPORARY_H
#define NET_TEMPORARY_H

/* Makes a file in the open folder `folder` under a name that nobody else has, mode 0666 less the
 * umask, open for writing. The descriptor, whose closing gives the name to whoever sweeps, and the
 * name in `*name`, to be freed; a negative errno. */
int temporary_open(int folder, char **name);
/* Gives such a name, in the same way, to the file without a name that `fd` is. 0 or a negative
 * errno. */
int temporary_link(int fd, int folder, char **name);
/* Removes what processes that are no more have left in `folder`. Only the first call of a process
 * for a folder looks. */
void temporary_sweep(int folder);
/* Gives the file without a name that `fd` is the name `name`, which must be free. 0 or a negative
 * errno. */
int temporary_place(int fd, int folder, const char *name);

#endif
