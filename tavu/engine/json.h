/* JSON (RFC 8259, and NaN and Infinity, which Python writes), read in place. */
#ifndef TAVU_JSON_H
#define TAVU_JSON_H

#include <stddef.h>
#include <stdint.h>

/* One value, from its first character to before `end`. */
typedef struct {
    const char *begin, *end;
} Json;

/* An item of an object or array; in an array it has no name. */
typedef struct {
    Json name, value;
    const char *next, *end;
} JsonItem;

int json_parse(const char *text, size_t length, Json *value); /* 0 where the text is not one whole value, or nested too deeply */
int json_is_object(Json value);
int json_is_array(Json value);
/* for (JsonItem item = json_items(value); json_next(&item);) of a parsed value; what is neither object nor array has no items. */
JsonItem json_items(Json value);
int json_next(JsonItem *item);
int json_get(Json object, const char *name, Json *value); /* of equal names the last; 0 where there is none */
int json_int(Json value, int64_t *number);                /* 0 where it is not an integer of 64 bits */
/* The UTF-8 of a string, ended by NUL, to text, which has room for as many bytes as the value. Its length; -1 where the value is not a string. */
int64_t json_string(Json value, char *text);

#endif
