/* text_ranges: where the machine code of the program and of its libraries lies. */
#ifndef VM_TEXT_RANGES_H
#define VM_TEXT_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_RANGES_MAX 128

struct text_ranges {
    size_t count;
    struct text_range {
        uintptr_t begin, end;
    } ranges[TEXT_RANGES_MAX];
};

/* As they are now. What does not fit is left out. */
void text_ranges_collect(struct text_ranges *text);
bool text_ranges_contain(const struct text_ranges *text, uintptr_t address);
/* Whether the signal whose handler was given this context came in one of them. Safe in a handler.
 */
bool text_ranges_interrupted(const struct text_ranges *text, const void *context);
/* Whether the caller was called, through functions of these alone, by code that is in none of them.
 * Not for a handler. */
bool text_ranges_left(const struct text_ranges *text);

#endif
