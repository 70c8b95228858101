/* main: the program's entry.
 *
 * Nothing is decided here: cli finds the command, and everything else is a command's. */
#include "cli.h"

#include <stdio.h>

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0); /* what a script prints is seen at once, in a file too */
    return cli_main(argc, argv);
}
