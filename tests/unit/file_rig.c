#include "file_rig.h"

#include "base/fault.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

void file_rig_put(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

int file_rig_setup(void **state) {
    struct file_rig *rig = calloc(1, sizeof *rig);
    *state = rig;
    strcpy(rig->folder, "/tmp/weir-file-XXXXXX");
    rig->before = open(".", O_PATH | O_DIRECTORY);
    if (!mkdtemp(rig->folder) || chdir(rig->folder) < 0 || mkdir("root", 0755) < 0 ||
        mkdir("root/sub", 0755) < 0 || mkdir("outside", 0755) < 0)
        return -1;
    file_rig_put("root/a.txt", "hello");
    file_rig_put("root/sub/b.txt", "sub");
    return 0;
}

int file_rig_teardown(void **state) {
    struct file_rig *rig = *state;
    char command[96];
    fault_reset();
    snprintf(command, sizeof command, "rm -rf %s", rig->folder);
    int rc = fchdir(rig->before) < 0 || system(command) != 0;
    close(rig->before);
    free(rig);
    return rc;
}
