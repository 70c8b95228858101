/* file_rig: a fresh folder for a test, in which it runs: root/ with "a.txt" ("hello") and
 * "sub/b.txt"
 * ("sub"), and outside/ beside it. */
#ifndef TESTS_FILE_RIG_H
#define TESTS_FILE_RIG_H

struct file_rig {
    char folder[64];
    int before; /* the folder that the program was in, open */
};

/* For cmocka: *state is the rig. */
int file_rig_setup(void **state);
/* Removes the folder, and what faults are armed. */
int file_rig_teardown(void **state);
/* Writes a file by the C library. */
void file_rig_put(const char *path, const char *text);

#endif
