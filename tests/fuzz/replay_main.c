/* Runs every file of the named directories through a fuzz target, without libFuzzer: seeds and everything that was ever found stay found
 * with any compiler. Usage: replay_TARGET DIRECTORY... */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "common/base/buf.h"
#include "tests/fuzz/fuzz.h"

enum { FILE_BYTES = 1 << 20, PATH_BYTES = 4096 };

static void replay_file(const char *path)
{
    struct buf b;
    size_t got;
    FILE *in = fopen(path, "rb");
    FUZZ_CHECK(in != NULL, path);
    buf_init(&b, FILE_BYTES);
    do {
        FUZZ_CHECK(buf_reserve(&b, 4096), path);
        got = fread(b.p + b.n, 1, 4096, in);
        b.n += got;
    } while (got > 0);
    FUZZ_CHECK(ferror(in) == 0, path);
    (void)fclose(in);
    uint8_t *exact = malloc(b.n > 0 ? b.n : 1);
    FUZZ_CHECK(exact != NULL, "memory");
    memcpy(exact, b.p, b.n);
    (void)fprintf(stderr, "%s\n", path); /* the last line names the culprit */
    fuzz_one(exact, b.n);
    free(exact);
    buf_release(&b);
}

static size_t replay_directory(const char *directory)
{
    size_t files = 0;
    struct dirent *entry;
    DIR *d = opendir(directory);
    if (d == NULL) {
        FUZZ_CHECK(errno == ENOENT, directory);
        return 0;
    }
    while ((entry = readdir(d)) != NULL) {
        char path[PATH_BYTES];
        if (entry->d_name[0] == '.')
            continue;
        FUZZ_CHECK(snprintf(path, sizeof path, "%s/%s", directory, entry->d_name) < (int)sizeof path, directory);
        replay_file(path);
        files++;
    }
    (void)closedir(d);
    return files;
}

int main(int argc, char **argv)
{
    size_t files = 0;
    for (int i = 1; i < argc; i++)
        files += replay_directory(argv[i]);
    FUZZ_CHECK(files > 0, "no inputs");
    (void)printf("%zu inputs\n", files);
    return 0;
}
