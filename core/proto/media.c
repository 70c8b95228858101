/* media: which content type a file's name promises. A table and a search in it: the names are those
 * of the IANA registry where it has one, and text types say that they are UTF-8, since otherwise
 * browsers guess (JSON and the other application types define their encoding themselves). Pure;
 * never looks at a file. */
#include "proto/media.h"

static const struct {
    const char *extension, *type;
} types[] = {
    /* what pages are made of first: the search is linear */
    {"html", "text/html; charset=utf-8"},
    {"css", "text/css; charset=utf-8"},
    {"js", "text/javascript; charset=utf-8"},
    {"svg", "image/svg+xml"},
    {"png", "image/png"},
    {"json", "application/json"},
    {"ico", "image/vnd.microsoft.icon"},
    {"woff2", "font/woff2"},
    {"jpg", "image/jpeg"},
    {"webp", "image/webp"},
    {"7z", "application/x-7z-compressed"},
    {"apng", "image/apng"},
    {"atom", "application/atom+xml"},
    {"avif", "image/avif"},
    {"bmp", "image/bmp"},
    {"br", "application/x-brotli"},
    {"bz2", "application/x-bzip2"},
    {"csv", "text/csv; charset=utf-8"},
    {"epub", "application/epub+zip"},
    {"flac", "audio/flac"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"htm", "text/html; charset=utf-8"},
    {"ics", "text/calendar; charset=utf-8"},
    {"jpeg", "image/jpeg"},
    {"jsonl", "application/jsonl"},
    {"log", "text/plain; charset=utf-8"},
    {"lua", "text/x-lua; charset=utf-8"},
    {"m3u8", "application/vnd.apple.mpegurl"},
    {"m4a", "audio/mp4"},
    {"map", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"mpd", "application/dash+xml"},
    {"ndjson", "application/x-ndjson"},
    {"oga", "audio/ogg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"opus", "audio/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"rss", "application/rss+xml"},
    {"rtf", "application/rtf"},
    {"tar", "application/x-tar"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"toml", "application/toml"},
    {"tsv", "text/tab-separated-values; charset=utf-8"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"vtt", "text/vtt; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"woff", "font/woff"},
    {"xhtml", "application/xhtml+xml"},
    {"xml", "text/xml; charset=utf-8"},
    {"xz", "application/x-xz"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"zip", "application/zip"},
    {"zst", "application/zstd"},
};

/* What follows the last dot of the last segment. The dot that hides a file opens no extension. */
static struct str extension_of(struct str path) {
    for (size_t i = path.len; i-- > 0 && path.ptr[i] != '/';)
        if (path.ptr[i] == '.' && i > 0 && path.ptr[i - 1] != '/')
            return (struct str){path.ptr + i + 1, path.len - i - 1};
    return STR("");
}

const char *media_type_of(struct str path) {
    struct str extension = extension_of(path);

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (str_ieq(extension, str_of(types[i].extension)))
            return types[i].type;
    return "application/octet-stream";
}
