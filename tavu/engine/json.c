#include "json.h"

#include <string.h>

enum { MAX_DEPTH = 64 };

static const char *skip_space(const char *p, const char *end) {
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) p++;
    return p;
}

static int is_digit(char c) { return c >= '0' && c <= '9'; }

static int hex_digit(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Each skip_ function returns the end of what begins at p, or NULL where that is not there. */
static const char *skip_string(const char *p, const char *end) {
    if (p == end || *p++ != '"') return NULL;
    for (; p < end && *p != '"'; p++) {
        if ((unsigned char)*p < 0x20) return NULL;
        if (*p != '\\') continue;
        if (++p == end || *p == '\0' || !strchr("\"\\/bfnrtu", *p)) return NULL;
        for (int digits = *p == 'u' ? 4 : 0; digits; digits--)
            if (++p == end || hex_digit(*p) < 0) return NULL;
    }
    return p < end ? p + 1 : NULL;
}

static const char *skip_digits(const char *p, const char *end) {
    if (p == end || !is_digit(*p)) return NULL;
    while (p < end && is_digit(*p)) p++;
    return p;
}

static const char *skip_number(const char *p, const char *end) {
    if (p < end && *p == '-') p++;
    p = p < end && *p == '0' ? p + 1 : skip_digits(p, end);
    if (p && p < end && *p == '.') p = skip_digits(p + 1, end);
    if (p && p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p = skip_digits(p < end && (*p == '+' || *p == '-') ? p + 1 : p, end);
    }
    return p;
}

static const char *skip_scalar(const char *p, const char *end) {
    static const char *const words[] = {"true", "false", "null", "NaN", "Infinity", "-Infinity"};
    if (*p == '"') return skip_string(p, end);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(end - p) >= length && !memcmp(p, words[i], length)) return p + length;
    }
    return skip_number(p, end);
}

/* The value of a name, from the name on. */
static const char *skip_name(const char *p, const char *end) {
    p = skip_string(p, end);
    if (p) p = skip_space(p, end);
    return p && p < end && *p == ':' ? skip_space(p + 1, end) : NULL;
}

static const char *skip_value(const char *p, const char *end, int depth) {
    if (p == end || depth == 0) return NULL;
    if (*p != '{' && *p != '[') return skip_scalar(p, end);
    int is_object = *p == '{';
    char close = is_object ? '}' : ']';
    p = skip_space(p + 1, end);
    if (p < end && *p == close) return p + 1;
    for (;;) {
        if (is_object) p = skip_name(p, end);
        if (p) p = skip_value(p, end, depth - 1);
        if (p) p = skip_space(p, end);
        if (!p || p == end || (*p != close && *p != ',')) return NULL;
        if (*p == close) return p + 1;
        p = skip_space(p + 1, end);
    }
}

int json_parse(const char *text, size_t length, Json *value) {
    const char *end = text + length;
    value->begin = skip_space(text, end);
    value->end = skip_value(value->begin, end, MAX_DEPTH);
    return value->end && skip_space(value->end, end) == end;
}

int json_is_object(Json value) { return *value.begin == '{'; }
int json_is_array(Json value) { return *value.begin == '['; }

JsonItem json_items(Json value) {
    int has_items = json_is_object(value) || json_is_array(value);
    return (JsonItem){.next = has_items ? value.begin + 1 : NULL, .end = value.end};
}

int json_next(JsonItem *item) {
    if (!item->next) return 0;
    const char *p = skip_space(item->next, item->end);
    if (*p == ',') p = skip_space(p + 1, item->end);
    if (*p == '}' || *p == ']') return 0;
    if (item->end[-1] == '}') {
        item->name = (Json){p, skip_string(p, item->end)};
        p = skip_name(p, item->end);
    }
    item->value = (Json){p, skip_value(p, item->end, MAX_DEPTH)};
    item->next = item->value.end;
    return 1;
}

static unsigned hex4(const char *p) { return (unsigned)(hex_digit(p[0]) << 12 | hex_digit(p[1]) << 8 | hex_digit(p[2]) << 4 | hex_digit(p[3])); }

/* The UTF-8 of a code point; a lone surrogate is written as if it were one. */
static char *put_utf8(char *out, unsigned code) {
    if (code < 0x80) {
        *out++ = (char)code;
        return out;
    }
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    *out++ = (char)(unsigned char)((0xFF00u >> (more + 1) & 0xFFu) | code >> 6 * more);
    while (more--) *out++ = (char)(unsigned char)(0x80u | (code >> 6 * more & 0x3Fu));
    return out;
}

int64_t json_string(Json value, char *text) {
    if (*value.begin != '"') return -1;
    static const char names[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    char *out = text;
    for (const char *p = value.begin + 1; p < value.end - 1; p++) {
        if (*p != '\\') {
            *out++ = *p;
        } else if (*++p == 'u') {
            unsigned code = hex4(p + 1);
            p += 4;
            if (code >> 10 == 0x36 && p[1] == '\\' && p[2] == 'u' && hex4(p + 3) >> 10 == 0x37) {
                code = 0x10000 + ((code & 0x3FF) << 10 | (hex4(p + 3) & 0x3FF));
                p += 6;
            }
            out = put_utf8(out, code);
        } else {
            const char *name = strchr(names, *p);
            *out++ = name ? meanings[name - names] : *p;
        }
    }
    *out = '\0';
    return out - text;
}

int json_get(Json object, const char *name, Json *value) {
    size_t length = strlen(name);
    int has_it = 0;
    for (JsonItem item = json_items(object); json_next(&item);)
        if (item.name.begin && (size_t)(item.name.end - item.name.begin) == length + 2 && !memcmp(item.name.begin + 1, name, length)) {
            *value = item.value;
            has_it = 1;
        }
    return has_it;
}

int json_int(Json value, int64_t *number) {
    const char *p = value.begin;
    int is_negative = *p == '-';
    int64_t magnitude = 0; /* as a negative number, of which there is one more */
    p += is_negative;
    if (p == value.end) return 0;
    for (; p < value.end; p++) {
        if (!is_digit(*p) || magnitude < (INT64_MIN + (*p - '0')) / 10) return 0;
        magnitude = magnitude * 10 - (*p - '0');
    }
    if (!is_negative && magnitude == INT64_MIN) return 0;
    *number = is_negative ? magnitude : -magnitude;
    return 1;
}
