/* file_tag: the entity tag of a file, which changes when its content does. */
#ifndef HTTP_FILE_TAG_H
#define HTTP_FILE_TAG_H

#include <sys/stat.h>

#define FILE_TAG_MAX 48

/* Makes the tag of the open file, whose `st` it brings up to date, "suffix" at its end. What is
 * read of the file from then on is what the tag stands for, or newer. May wait for some
 * milliseconds: not for the loop. */
void file_tag_make(int fd, struct stat *st, const char *suffix, char out[FILE_TAG_MAX]);

#endif
