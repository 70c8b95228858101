/* main: the program's entry; everything else is a command's. */
#include "cli.h"

int main(int argc, char **argv) {
    return cli_main(argc, argv);
}
