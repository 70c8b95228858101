/* embedded: looks up the files that the build has linked into the program.
 *
 * The table itself, embedded_files, is generated: the Makefile writes embedded.c in the build
 * folder, which includes each file of lua/ by the assembler's .incbin, so a large file costs no
 * compile time and the bytes in the program are the bytes in the repository.
 *
 * The table is constant: nobody owns it, every thread may read it. It is small and asked only when
 * a Lua state is born or `weir new` writes its files, so the lookup is a plain walk. This file must
 * not know what the bytes mean; that they are Lua is the business of vm/.
 */
#include "base/embedded.h"

#include <string.h>

const struct embedded *embedded_find(const char *name) {
    for (const struct embedded *file = embedded_files; file->name != NULL; file++)
        if (strcmp(file->name, name) == 0)
            return file;
    return NULL;
}
