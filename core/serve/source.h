/* source: which apps a PATH of the command line means. */
#ifndef SERVE_SOURCE_H
#define SERVE_SOURCE_H

struct source {
    char *name;   /* of its folder: what it answers under when there are several */
    char *folder; /* absolute; as it was given, so a link in it may lead elsewhere later */
    char *file;   /* likewise */
};

struct sources {
    struct source *list; /* by name */
    int count;
    int single; /* PATH was one app, not a folder of apps */
};

/* PATH is an app file, a folder with an app.lua, or a folder of such folders. Adds what it means;
 * called once for each PATH. 0, or -1 with the reason in `*error` (free it). */
int sources_add(struct sources *sources, const char *path, char **error);
void sources_free(struct sources *sources);

#endif
