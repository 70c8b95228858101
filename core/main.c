/* main: the program's entry.
 *
 * Nothing is decided here: cli finds the command, and everything else is a command's. Only this
 * comes before all: a program may be started with descriptors 0 to 2 closed, and the next file or
 * socket would get such a number; then what is meant for standard error would end up in there. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

/* open(2) takes the lowest number that is free. */
static int fill_standard_descriptors(void) {
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != fd)
            return -1;
    return 0;
}

int main(int argc, char **argv) {
    if (fill_standard_descriptors() < 0)
        return EXIT_FAILED;           /* there is nowhere to say why */
    setvbuf(stdout, NULL, _IOLBF, 0); /* what a script prints is seen at once, in a file too */
    return cli_main(argc, argv);
}
