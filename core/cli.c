/* cli: which command was asked for, and what each says when it is used wrongly.
 *
 * A command is a function that gets what follows its name and returns the exit code: 0, 1 a
 * failure, 2 wrong usage, with the remedy in the message. What a command does is in a file of its
 * own. */
#include "cli.h"

#include "base/console.h"
#include "base/version.h"
#include "hub/hub.h"
#include "store/store.h"
#include "tail/home.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int version(int argc, char **argv) {
    (void)argv;
    if (argc > 0)
        return cli_usage("version", "takes no arguments");
    printf("weir %s\n", weir_version);
    return EXIT_DONE;
}

static int help(int argc, char **argv);

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage;
} commands[] = {
    {"serve", cli_serve,
     "weir serve PATH... [--listen HOST:PORT]... [--workers N] [--watch]\n"
     "                   [--data DIR] [--admin HOST:PORT [--admin-token FILE]]\n"
     "                   [--access-log FILE|-] [--log text|json]\n"
     "                   [--log-level debug|info|warn|error]\n"
     "    Serves apps: a file app.lua, a folder that holds one, or a folder of such folders.\n"
     "    --listen       default 127.0.0.1:8080; port 0 picks one\n"
     "    --workers      threads; default: the number of processors\n"
     "    --watch        reloads an app when one of its files changes, and the pages that are "
     "open,\n"
     "                   and shows errors as pages; SIGHUP reloads all, with and without it\n"
     "    --data         a folder of this server's own, made if need be, for durable topics,\n"
     "                   weir.store and uploads; default: memory only\n"
     "    --access-log   a line for each request; - is standard output\n"
     "    --log          the form of the log and of the access log: text (the default), or json\n"
     "    --log-level    what is logged: this and what is worse; default: info\n"
     "    --admin        a second address, for metrics, health and a look inside: GET / there "
     "lists\n"
     "                   what there is. Others than this machine reach it with a token only, the\n"
     "                   line of the file of --admin-token"},
    {"check", cli_check,
     "weir check PATH\n    Loads and starts the app without listening, and runs luacheck over it "
     "if that is\n    installed. Tells what is wrong, with file and line."},
    {"routes", cli_routes, "weir routes PATH\n    Lists the routes, one a line."},
    {"spec", cli_spec,
     "weir spec [OPTION]... [FILE|FOLDER]...\n"
     "    Runs busted inside this program; without a name, on the folder spec/.\n"
     "    --filter=PATTERN   only specs whose description matches this Lua pattern\n"
     "    --tags=TAG         only those with #TAG in it; --exclude-tags=TAG, only the others\n"
     "    --list             shows the descriptions and runs nothing\n"
     "    --repeat=COUNT     runs them so often; --shuffle, in any order\n"
     "    --no-keep-going    ends at the first failure\n"
     "    -o OUTPUT          how it tells: plainTerminal, utfTerminal, TAP, junit, json\n"
     "    All options of busted's are taken."},
    {"new", cli_new,
     "weir new NAME\n    Makes a small app with a page and a spec in the folder NAME, ready to "
     "serve."},
    {"token", cli_token,
     "weir token [--sub S] [--claim NAME=VALUE]... [--exp 1h] [--alg A]\n"
     "           (--secret-env NAME | --secret-file FILE | --key-file FILE)\n"
     "    Prints a signed JSON Web Token.\n"
     "    --claim        the value is JSON, such as true or 5, or else a string\n"
     "    --exp          how long it is valid: 90s, 15m, 1h (the default), 7d\n"
     "    --alg          default HS256; a key file (PEM, a private key) needs one"},
    {"version", version, "weir version"},
    {"help", help, "weir help"},
};

#define COUNT (sizeof commands / sizeof *commands)

static int help(int argc, char **argv) {
    (void)argc;
    (void)argv;
    for (size_t i = 0; i < COUNT; i++)
        printf("%s\n", commands[i].usage);
    return EXIT_DONE;
}

static const struct command *find(const char *name) {
    for (size_t i = 0; i < COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* Wherever it stands. */
static bool asks_for_help(int argc, char **argv) {
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

int cli_usage(const char *command, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "weir %s: ", command);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nusage: %s\n", find(command)->usage);
    va_end(args);
    return EXIT_USAGE;
}

int cli_fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("weir: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return EXIT_FAILED;
}

int cli_main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr,
                "weir: which command? `weir serve PATH` serves an app, `weir new NAME` makes one, "
                "`weir help` lists all\n");
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0)
        name = "version";
    else if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    const struct command *command = find(name);
    if (command == NULL) {
        fprintf(stderr, "weir: there is no command \"%s\"; `weir help` lists all\n", name);
        return EXIT_USAGE;
    }
    if (asks_for_help(argc - 2, argv + 2)) {
        printf("%s\n", command->usage);
        return EXIT_DONE;
    }
    int rc = command->run(argc - 2, argv + 2);
    hub_use_store(NULL);
    store_close_default();
    home_finish();
    console_finish();
    return rc;
}
