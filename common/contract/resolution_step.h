/* What a resolution is compiled to. Only resolution.c and resolution_run.c use it. */
#ifndef BRIDGE_CONTRACT_RESOLUTION_STEP_H
#define BRIDGE_CONTRACT_RESOLUTION_STEP_H

#include "common/base/arena.h"
#include "common/contract/avro_walk.h"
#include "common/contract/resolution.h"

enum { RESOLUTION_PATH = 256, RESOLUTION_NO_SLOT = -1 };

enum resolution_act {
    RESOLUTION_COPY,   /* the bytes stay */
    RESOLUTION_REAL,   /* int, long or float -> float or double */
    RESOLUTION_SYMBOL, /* enum -> enum */
    RESOLUTION_LIST,   /* array, map */
    RESOLUTION_RECORD,
    RESOLUTION_UNION,  /* the writer's: what is to be done depends on the branch */
    RESOLUTION_NEVER   /* such a value cannot be read */
};

struct resolution_step;

/* What becomes of a value: the branch of the reader's union to write first (-1: none), then the step. */
struct resolution_way {
    const struct resolution_step *step;
    int64_t branch;
};

/* A field of the reader's record. */
struct resolution_part {
    const char *name;
    struct resolution_way way; /* from a field of the writer; step NULL: the default */
    size_t from;               /* that field's number */
    const unsigned char *initial; /* initial_n bytes */
    size_t initial_n;
    int initial_depth; /* types in it below its own */
};

struct resolution_step {
    enum resolution_act act;
    bool same; /* COPY: the reader's type asks no more than the writer's */
    const struct schema_node *writer, *reader; /* reader: not the union around it */
    union {
        const int64_t *symbols;            /* SYMBOL: the reader's index for each of the writer's; -1: none */
        struct resolution_way items;       /* LIST */
        const struct resolution_way *ways; /* UNION: for each branch of the writer */
        struct {
            const char *path, *words;
        } never;
        struct {
            const struct resolution_part *parts; /* RECORD: for each field of the reader */
            /* For each field of the writer: where its place is kept because the reader wants it later than it comes; RESOLUTION_NO_SLOT: read or
             * dropped in turn. */
            const int *slots;
            size_t slots_n;
        } record;
    };
};

struct resolution {
    struct arena arena;
    struct resolution_way root;
    struct avro_cursor *kept; /* scratch: the slots of the records that are being read; kept_n in use, kept_room there */
    size_t kept_n, kept_room;
};

/* In front of path, "name" or "name.path". Returns false when there is no room: then path is as it was. */
bool resolution_path_front(char path[RESOLUTION_PATH], const char *name);

#endif
