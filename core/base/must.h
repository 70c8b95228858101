/* must: what always holds where the line stands, as code.
 *
 * An invariant is not an error: errors have codes, and tests. What breaks one is a mistake in the
 * core, and the process ends with the line that knew better. The release does without: its build
 * only checks that the expression compiles, so an invariant may cost what it likes. Every other
 * build is made with -DWEIR_MUST. */
#ifndef BASE_MUST_H
#define BASE_MUST_H

#ifdef WEIR_MUST
#define MUST(holds)                                                                                \
    ((__builtin_expect(!!(holds), 1)) ? (void)0 : must_fail(#holds, __FILE__, __LINE__))
#else
#define MUST(holds) ((void)sizeof(!!(holds))) /* not evaluated */
#endif

/* Prints "file:line: must hold: ..." to standard error and aborts. */
_Noreturn void must_fail(const char *what, const char *file, int line);

#endif
