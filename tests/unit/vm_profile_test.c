/* Samples of a state, as folded stacks. */
#include "vm/profile.h"

#include "table.h"

#include <lauxlib.h>
#include <stdio.h>

static lua_State *L;
static struct profile profile;

static int setup(void **state) {
    (void)state;
    L = luaL_newstate();
    assert_non_null(L);
    profile_init(&profile);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    profile_fini(&profile);
    lua_close(L);
    return 0;
}

static void says(const char *want) {
    struct buf out = {0};
    profile_add_folded(&profile, &out);
    buf_add_char(&out, '\0');
    assert_string_equal(out.data, want);
    buf_fini(&out);
}

/* Rows: what LuaJIT tells of itself, and what is shown. */
static void the_vm_state_is_the_innermost_frame(void **state) {
    (void)state;
    static const struct {
        int vmstate;
        const char *want;
    } rows[] = {
        {'N', "t;[compiled] 1\n"},   {'I', "t;[interpreted] 1\n"},
        {'C', "t;[C function] 1\n"}, {'G', "t;[garbage collector] 1\n"},
        {'J', "t;[compiler] 1\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        profile_sample(&profile, L, "t", 1, rows[i].vmstate);
        says(rows[i].want);
        profile_fini(&profile);
        profile_init(&profile);
    }
}

static int sample_here(lua_State *from) {
    profile_sample(&profile, from, "GET /a;b", 2, 'I');
    return 0;
}

/* What a script calls its route is one frame, whatever is in it. */
static void frames_have_their_lines_from_the_outermost_on(void **state) {
    (void)state;
    lua_pushcfunction(L, sample_here);
    lua_setglobal(L, "sample");
    const char *text =
        "local function inner()\n  sample()\nend\n\nfor _ = 1, 2 do\n  inner()\nend\n";
    assert_int_equal(luaL_loadbuffer(L, text, strlen(text), "@app.lua"), 0);
    assert_int_equal(lua_pcall(L, 0, 0, 0), 0);
    struct buf out = {0};
    profile_add_folded(&profile, &out);
    buf_add_char(&out, '\0');
    assert_non_null(strstr(out.data, "GET /a,b;app.lua:6;app.lua:2;"));
    assert_non_null(strstr(out.data, ";[interpreted] 4\n"));
    buf_fini(&out);
}

static void there_is_a_most_of_stacks(void **state) {
    (void)state;
    char what[32];
    for (int i = 0; i < PROFILE_STACKS_MAX; i++) {
        snprintf(what, sizeof what, "task %d", i);
        profile_sample(&profile, L, what, 1, 'I');
    }
    assert_int_equal(profile.beyond, 0);
    profile_sample(&profile, L, "one more", 3, 'I');
    profile_sample(&profile, L, "task 7", 1, 'I');
    assert_int_equal(profile.beyond, 3);
    struct buf out = {0};
    profile_add_folded(&profile, &out);
    buf_add_char(&out, '\0');
    assert_non_null(strstr(out.data, "task 7;[interpreted] 2\n"));
    assert_non_null(strstr(out.data, "[other stacks] 3\n"));
    buf_fini(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_vm_state_is_the_innermost_frame),
        TEST(frames_have_their_lines_from_the_outermost_on),
        TEST(there_is_a_most_of_stacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
