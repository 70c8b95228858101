/* text_ranges: where the machine code of the program and of its libraries lies.
 *
 * LuaJIT does not tell from outside whether a state runs compiled code. But the interpreter, its
 * library and all other C are in the text of the program or of a shared object, which the dynamic
 * linker lists, and what LuaJIT compiles is not: so the place where a signal came tells.
 *
 * The same holds for who called: compiled code calls C, and is then found among the callers.
 *
 * A copy of that list, of a fixed size, which a signal handler can read: the linker's own is behind
 * a lock. Its owner sees to it that it is not collected while it is read. Nothing here knows who
 * asks, or what for. */
#include "vm/text_ranges.h"

#include <link.h>
#include <ucontext.h>
#include <unwind.h>

#define CALLERS_MAX 256 /* the nearest: what serializes a table calls itself for each level */

static int add_object(struct dl_phdr_info *object, size_t size, void *arg) {
    struct text_ranges *text = arg;
    (void)size;
    for (size_t i = 0; i < object->dlpi_phnum && text->count < TEXT_RANGES_MAX; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
            continue;
        uintptr_t begin = object->dlpi_addr + segment->p_vaddr;
        text->ranges[text->count++] = (struct text_range){begin, begin + segment->p_memsz};
    }
    return 0;
}

void text_ranges_collect(struct text_ranges *text) {
    text->count = 0;
    dl_iterate_phdr(add_object, text);
}

bool text_ranges_contain(const struct text_ranges *text, uintptr_t address) {
    for (size_t i = 0; i < text->count; i++)
        if (address >= text->ranges[i].begin && address < text->ranges[i].end)
            return true;
    return false;
}

/* On machines whose program counter is not known here: never. */
bool text_ranges_interrupted(const struct text_ranges *text, const void *context) {
#if defined __x86_64__
    const ucontext_t *at = context;
    return text_ranges_contain(text, (uintptr_t)at->uc_mcontext.gregs[REG_RIP]);
#elif defined __aarch64__
    const ucontext_t *at = context;
    return text_ranges_contain(text, (uintptr_t)at->uc_mcontext.pc);
#else
    (void)text, (void)context;
    return false;
#endif
}

/* --- the callers --- */

struct walk {
    const struct text_ranges *text;
    int callers;
    bool left;
};

static _Unwind_Reason_Code look_at(struct _Unwind_Context *caller, void *arg) {
    struct walk *walk = arg;
    uintptr_t address = _Unwind_GetIP(caller);
    walk->left = address != 0 && !text_ranges_contain(walk->text, address);
    return walk->left || ++walk->callers == CALLERS_MAX ? _URC_END_OF_STACK : _URC_NO_REASON;
}

bool text_ranges_left(const struct text_ranges *text) {
    struct walk walk = {.text = text};
    _Unwind_Backtrace(look_at, &walk);
    return walk.left;
}
