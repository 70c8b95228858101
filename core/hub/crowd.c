/* crowd: who is subscribed to one name, counted over all workers.
 *
 * Each worker keeps its own lists of subscribers; what others ask for, how many there are and whose
 * they are, stands here. Belongs to a topic, or to a name as the prefix of many. Touched under the
 * hub's lock. */
#include "hub/crowd.h"

#include "base/mem.h"
#include "base/must.h"

#include <stdlib.h>
#include <string.h>

void crowd_init(struct crowd *crowd) {
    crowd->streams = 0;
    crowd->trimmed = crowd->superseded = crowd->trims = 0;
    map_init(&crowd->subjects);
    list_init(&crowd->feeds);
    list_init(&crowd->blocking);
}

void crowd_fini(struct crowd *crowd) {
    map_fini(&crowd->subjects);
}

static struct subject *subject_of(struct crowd *crowd, struct str text) {
    struct map_node *node = map_find(&crowd->subjects, text);
    return node ? CONTAINER_OF(node, struct subject, node) : NULL;
}

void crowd_join(struct crowd *crowd, struct str text) {
    crowd->streams++;
    if (text.ptr == NULL)
        return;
    struct subject *subject = subject_of(crowd, text);
    if (subject == NULL) {
        subject = mem_zalloc(sizeof *subject + text.len);
        subject->len = (uint32_t)text.len;
        memcpy(subject->text, text.ptr, text.len);
        map_insert(&crowd->subjects, &subject->node, (struct str){subject->text, subject->len});
    }
    subject->streams++;
}

void crowd_leave(struct crowd *crowd, struct str text) {
    MUST(crowd->streams > 0);
    crowd->streams--;
    struct subject *subject = text.ptr ? subject_of(crowd, text) : NULL;
    if (subject == NULL || --subject->streams > 0)
        return;
    map_remove(&crowd->subjects, &subject->node);
    free(subject);
}
