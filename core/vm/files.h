/* files: tells which Lua files a generation loads, or looks for. */
#ifndef VM_FILES_H
#define VM_FILES_H

#include "vm/generation.h"

/* From now on its lineage is told of what `require`, `dofile` and `loadfile` open in the state of
 * `gen`, and of what `require` would have opened below the app's folder had it been there. */
void files_watch(struct generation *gen);
/* Tells of a file or folder, if anybody wants to know. */
void files_tell(struct generation *gen, const char *path);

#endif
