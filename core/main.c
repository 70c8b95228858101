/* main: the program's entry.
 *
 * Nothing is decided here: cli finds the command, and everything else is a command's. */
#include "cli.h"

int main(int argc, char **argv) {
    return cli_main(argc, argv);
}
