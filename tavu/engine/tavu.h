/* tavu: a tiny byte-level language model, from its file to a text. All that a C program needs:

       TavuEngine *engine = tavu_open(bytes, size, message, sizeof message);
       TavuText *text = tavu_read_text(engine, prompt, strlen(prompt), &options);
       while ((num = tavu_write_text(text, piece, NULL, sizeof piece)) > 0) fwrite(piece, 1, (size_t)num, stdout);
       tavu_free_text(text);
       tavu_close(engine);

   Threads: an engine and its texts are for one thread at a time. For another thread open another engine; both may share the bytes of the model file.
   The first tavu_open of a process must have returned before another thread calls it. */
#ifndef TAVU_H
#define TAVU_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define TAVU_PUBLIC __declspec(dllexport)
#elif defined(__GNUC__)
#define TAVU_PUBLIC __attribute__((visibility("default")))
#else
#define TAVU_PUBLIC
#endif

typedef struct TavuEngine TavuEngine;
typedef struct TavuText TavuText;

/* How a text is sampled, and where it stops: as the options of `tavu generate`, in the same ranges. The same seed gives the same text. */
typedef struct {
    double temperature;        /* 0: always the likeliest byte */
    double top_p;              /* 1: not used */
    double min_p;              /* 0: not used */
    double repetition_penalty; /* 1: not used */
    double insist;             /* scales the learned gate of requested words; 1 as learned */
    uint64_t seed;
    uint32_t top_k;          /* 0: not used */
    uint32_t max_bytes;      /* the longest text */
    const char *const *stop; /* stop before any of these strings, whose last is followed by NULL; or NULL. They must outlive the text. */
} TavuOptions;

#define TAVU_DEFAULT_OPTIONS \
    { .temperature = 0.8, .top_p = 1, .repetition_penalty = 1, .insist = 1, .max_bytes = 2048 }

/* Why a text has ended: by itself, at max_bytes, or before a string to stop at. */
enum { TAVU_NOT_ENDED, TAVU_END, TAVU_LENGTH, TAVU_STOP };

/* The engine of a whole model file, whose bytes must outlive it unchanged. Anyone may have made the file: all that the engine relies on is checked,
   but not its checksum. NULL when it cannot run: then message says why, in one sentence of UTF-8 that is cut to message_size with its NUL. */
TAVU_PUBLIC TavuEngine *tavu_open(const void *bytes, size_t size, char *message, size_t message_size);
TAVU_PUBLIC void tavu_close(TavuEngine *engine);

/* Read a prompt: the text begins after it. NULL when memory ran out. */
TAVU_PUBLIC TavuText *tavu_read_text(TavuEngine *engine, const char *prompt, size_t size, const TavuOptions *options);
/* The next bytes of the text, and to bits (unless NULL) what each cost the model: -log2 of its probability. Their number is `room`, or less where the
   text ends; 0 after its end. -1 when the model outputs NaN instead of probabilities: its training diverged or its file is damaged. -2 when memory ran
   out. A model of text writes valid UTF-8, in bytes that its training text has; a character that max_bytes would cut is left out. */
TAVU_PUBLIC int32_t tavu_write_text(TavuText *text, uint8_t *bytes, float *bits, int32_t room);
TAVU_PUBLIC int32_t tavu_why_ended(const TavuText *text);
TAVU_PUBLIC void tavu_free_text(TavuText *text);

#endif
