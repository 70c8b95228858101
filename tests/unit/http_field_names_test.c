/* Every usual name is found under its number, what is near one is not. */
#include "http/field_names.h"

#include "table.h"

static void names_have_numbers(void **state) {
    (void)state;
    struct str previous = STR("");
    int count = 0;
    while (count < field_name_number(STR("x-requested-with")) + 1) {
        struct str name = field_name_of(count);
        SAME_INT(name, field_name_number(name), count);
        assert_true(strcmp(previous.ptr, name.ptr) < 0); /* sorted, as the search needs it */
        previous = name;
        count++;
    }
    assert_true(count > 30);
}

static void others_have_none(void **state) {
    (void)state;
    static const char *const others[] = {
        "", "a", "Host", "hosts", "hos", "x-requested-witho", "zz", "accept-"};
    for (size_t i = 0; i < COUNT(others); i++)
        SAME_INT(str_of(others[i]), field_name_number(str_of(others[i])), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_numbers),
        cmocka_unit_test(others_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
