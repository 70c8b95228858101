/* base/list: order, both directions, and that unlinked nodes are safe to unlink. */
#include "base/list.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

struct item {
    char name;
    struct list link;
};

static struct list head, other;
static struct item a, b, c;

static int set_up(void **state) {
    (void)state;
    list_init(&head);
    list_init(&other);
    a.name = 'a';
    b.name = 'b';
    c.name = 'c';
    list_init(&a.link);
    list_init(&b.link);
    list_init(&c.link);
    return 0;
}

/* The list holds these, read forwards, and the same read backwards. */
static void holds(const struct list *l, const char *names) {
    size_t n = 0;
    for (struct list *node = l->next; node != l; node = node->next) {
        assert_true(n < strlen(names));
        assert_int_equal(CONTAINER_OF(node, struct item, link)->name, names[n++]);
    }
    assert_int_equal(n, strlen(names));
    for (struct list *node = l->prev; node != l; node = node->prev)
        assert_int_equal(CONTAINER_OF(node, struct item, link)->name, names[--n]);
    assert_int_equal(n, 0);
    assert_int_equal(list_empty(l), names[0] == '\0');
}

static void push_all(void) {
    list_push(&head, &a.link);
    list_push(&head, &b.link);
    list_push(&head, &c.link);
}

static void push(void **state) {
    (void)state;
    holds(&head, "");
    list_push(&head, &a.link);
    holds(&head, "a");
    assert_false(list_empty(&a.link));
    list_push(&head, &b.link);
    list_push(&head, &c.link);
    holds(&head, "abc");
}

static void remove_each(void **state) {
    (void)state;
    push_all();
    list_remove(&b.link);
    holds(&head, "ac");
    assert_true(list_empty(&b.link));
    list_remove(&b.link); /* harmless */
    holds(&head, "ac");
    list_remove(&c.link);
    holds(&head, "a");
    list_remove(&a.link);
    holds(&head, "");
    list_push(&head, &b.link);
    holds(&head, "b");
}

static void pop(void **state) {
    (void)state;
    assert_null(list_pop(&head));
    push_all();
    assert_ptr_equal(list_pop(&head), &a.link);
    assert_true(list_empty(&a.link));
    holds(&head, "bc");
    assert_ptr_equal(list_pop(&head), &b.link);
    assert_ptr_equal(list_pop(&head), &c.link);
    assert_null(list_pop(&head));
}

static void splice(void **state) {
    (void)state;
    list_splice(&other, &head); /* nothing to nothing */
    holds(&other, "");
    push_all();
    list_splice(&other, &head); /* to an empty list */
    holds(&head, "");
    holds(&other, "abc");
    list_remove(&c.link);
    list_push(&head, &c.link);
    list_splice(&head, &other); /* behind what is there */
    holds(&head, "cab");
    holds(&other, "");
    list_splice(&head, &other); /* nothing to something */
    holds(&head, "cab");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(push, set_up),
        cmocka_unit_test_setup(remove_each, set_up),
        cmocka_unit_test_setup(pop, set_up),
        cmocka_unit_test_setup(splice, set_up),
    };
    return cmocka_run_group_tests_name("base_list", tests, NULL, NULL);
}
