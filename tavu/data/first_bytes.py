"""File type detection from the first bytes: empty, another encoding, or not text; each error says how to convert the file.

The content decides, not the name: a PDF named .txt is a PDF.
"""

import codecs
import io
import re
import shlex
import unicodedata
from pathlib import Path

from tavu.data.streams import SNIFF_BYTES, endings
from tavu.errors import TavuError

_AS_TEXT = "Save it as plain text (.txt, UTF-8) first, in the program that made it"
_UNTAR = "Unpack it first: tar -xf {name}"
_WRITTEN_AS_TEXT = (b"%PDF-", b"%!PS", b"{\\rtf")
_KINDS = (  # first bytes, what they begin, what to do
    (b"%PDF-", "a PDF document", "Take its text out first: pdftotext {name}"),
    (b"%!PS", "a PostScript document", "Take its text out first: ps2ascii {name} > text.txt"),
    (b"{\\rtf", "an RTF document", _AS_TEXT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an older Microsoft Office document", _AS_TEXT),
    (b"PAR1", "a parquet file", "Rename it: mv {name} {bare}.parquet"),
    (b"\x1f\x8b", "a gzip archive", "Rename it: mv {name} {name}.gz"),
    (b"\xfd7zXZ\0", "an xz archive", "Rename it: mv {name} {name}.xz"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", "Rename it: mv {name} {name}.zst"),
    (b"BZh", "a bzip2 archive", "Unpack it first: bunzip2 -k {name}"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "Unpack it first: 7z x {name}"),
    (b"Rar!\x1a\x07", "a RAR archive", "Unpack it first: unrar x {name}"),
    (b"SQLite format 3\0", "an SQLite database", 'Take a column out first: sqlite3 {name} -csv -header "select COLUMN from TABLE" > rows.csv'),
    (b"\x89PNG", "a PNG image", ""),
    (b"\xff\xd8\xff", "a JPEG image", ""),
    (b"GIF8", "a GIF image", ""),
    (b"RIFF", "a RIFF file (sound, video or image)", ""),
    (b"OggS", "an Ogg file", ""),
    (b"ID3", "an MP3 recording", ""),
    (b"fLaC", "a FLAC recording", ""),
    (b"GGUF", "a GGUF model", ""),
    (b"\x7fELF", "a program", ""),
)
_IN_ZIP = (  # the name of a file in it, what the whole is
    (b"word/", "a Word document (.docx)"),
    (b"xl/", "an Excel sheet (.xlsx)"),
    (b"ppt/", "a PowerPoint presentation (.pptx)"),
    (b"application/epub+zip", "an e-book (.epub)"),
    (b"application/vnd.oasis.opendocument", "an OpenDocument file (.odt, .ods)"),
)
_MARKUP = {
    "HTML": re.compile(rb"\s*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE),
    "XML": re.compile(rb"\s*<\?xml\b"),
    "JSON": re.compile(rb"""\s*(\[\s*)?(\{\s*"[^"\n]{1,100}"\s*:|(?<=\[)\s*"(?:[^"\\]|\\.)*"\s*[],])"""),
}
"""How a text in each language begins."""
_PACKED = {".gz": "gzip -dc", ".xz": "xz -dc", ".zst": "zstd -dc"}


def start_of_text(stream: io.BufferedReader, name: str, *, check: bool) -> int:
    """Bytes skipped at the start (3 for a UTF-8 byte order mark, else 0). With `check`, refuse what does not look like text.

    Raises TavuError for an empty file, for UTF-16 and UTF-32, and for known file types that are not text.
    """
    head = stream.peek(SNIFF_BYTES)[:SNIFF_BYTES]
    if not head:
        raise TavuError(f"{name} is empty. Give a file with text, or pass --skip-bad to skip it.")
    if (known := _known_kind(head, name)) is not None:
        raise known
    if encoding := wide_encoding(head):
        raise TavuError(f"{name} is {encoding[:6].upper()}, expected UTF-8. Convert it: {_convert(name, encoding)}")
    if check and (0 in head or not _is_utf8(head)):
        raise TavuError(
            f"{name} does not look like UTF-8 text. Give a text file (or .jsonl, .csv, .tsv, .parquet, also .gz, .xz, .zst), "
            "or train on its raw bytes: tavu train --bytes"
        )
    return len(stream.read(len(codecs.BOM_UTF8))) if head.startswith(codecs.BOM_UTF8) else 0


def _known_kind(head: bytes, name: str) -> TavuError | None:
    kind, advice = _kind_and_advice(head)
    if not kind:
        return None
    if name.lower().endswith(".tgz"):
        advice = _UNTAR
    elif endings(Path(name))[1] and advice != _UNTAR:
        advice = "Unpack it and look at its content"
    advice = f"{advice}; or train" if advice else "Train"
    place = {"name": shlex.quote(name), "bare": shlex.quote(str(Path(name).with_suffix("")))}
    return TavuError(f"{name} is {kind}, expected text. {advice.format(**place)} on its raw bytes: tavu train --bytes")


def _kind_and_advice(head: bytes) -> tuple[str, str]:
    for begin, kind, advice in _KINDS:
        # Some of these can also start a text: it counts as text if the rest is text.
        if head.startswith(begin) and (begin in _WRITTEN_AS_TEXT or 0 in head or not _is_utf8(head)):
            return kind, advice
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return next(((kind, _AS_TEXT) for inside, kind in _IN_ZIP if inside in head), ("a ZIP archive", "Unpack it first: unzip {name}"))
    return ("a tar archive", _UNTAR) if head[257:262] == b"ustar" else ("", "")


def markup(head: bytes) -> str:
    """The markup language of a text that starts with `head`, "" if it seems plain.

    >>> markup(b"<!DOCTYPE html>"), markup(b'{"text": "Once"}'), markup(b"<3 Once upon a time")
    ('HTML', 'JSON', '')
    """
    return next((name for name, begin in _MARKUP.items() if begin.match(head)), "")


def marked_up(name: str, language: str) -> str:
    """The warning for a text file in a markup language, with how to extract its text."""
    compression = endings(Path(name))[1]
    if language == "JSON":
        return f"{name} looks like JSON, but is read as one plain text. Rename it to end in .jsonl{compression} to read each row as a document."
    tool = f": pandoc -f html -t plain {shlex.quote(name)} -o text.txt" if language == "HTML" and not compression else "."
    return f"{name} looks like {language}, and its tags are read as text. To remove them, extract the text first{tool}"


def wide_encoding(head: bytes) -> str | None:
    """UTF-16 or UTF-32, if a text that starts with `head` is in one of them, else None. Detected by byte order mark, else by trial decoding.

    >>> wide_encoding("Жила-была птичка.".encode("utf-16-le")), wide_encoding(b"Once upon a time")
    ('utf-16-le', None)
    """
    marks = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
    marked = next((encoding for mark, encoding in marks if head.startswith(mark)), None)
    # In these encodings the spaces, digits and newlines of every script have zero bytes. Valid UTF-8 with a few zeros is taken as UTF-8.
    if marked or head.count(0) < (max(2, len(head) / 33) if _is_utf8(head) else 1):
        return marked
    common = {encoding: _share_of_common(head, encoding) for encoding in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")}
    likeliest = max(common, key=common.__getitem__)
    return likeliest if common[likeliest] > 0.01 else None


def _share_of_common(head: bytes, encoding: str) -> float:
    """The share of ASCII and East Asian punctuation, which occur in every text; 0 if this is not text in that encoding."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)  # a character cut off at the end is not an error
    except UnicodeDecodeError:
        return 0.0
    num_readable = sum(unicodedata.category(character)[0] in "LMNPSZ" or character in "\n\r\t" for character in text)
    num_common = sum(character <= "\x7f" or "\u3000" <= character <= "\u303f" or "\uff00" <= character <= "\uff60" for character in text)
    return num_common / len(text) if 20 * num_readable > 19 * len(text) else 0.0


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def not_utf8(name: str, data: bytes, fault: UnicodeDecodeError, *, offset: int) -> TavuError:
    """The error for `data`, found at `offset` in the file, that is not UTF-8."""
    byte = data[fault.start]
    around = data[max(0, fault.start - SNIFF_BYTES) : fault.start + SNIFF_BYTES]
    looks, encoding = _likely_encoding(around, byte, fault)
    convert = f"Convert it: {_convert(name, encoding)}; or train" if encoding else "Train"
    where = f"byte 0x{byte:02x} at offset {offset + fault.start:,}"
    return TavuError(f"{name}: {where} is not UTF-8 ({looks}). {convert} on its raw bytes: tavu train --bytes")


def _likely_encoding(around: bytes, byte: int, fault: UnicodeDecodeError) -> tuple[str, str]:
    """(description, name of the likely encoding or "")."""
    if 0 in around:
        return "it does not look like text", ""
    # At the very end, the first byte of a UTF-8 character may also be a letter in another encoding.
    if fault.reason == "unexpected end of data" and (fault.end - fault.start > 1 or not fault.object[: fault.start].isascii()):
        return "a character is cut off there", ""
    num_high = sum(value >= 0xC0 for value in around)
    num_letters = sum(chr(value).isalpha() for value in around if value < 0x80)
    if num_high > num_letters:
        return "it looks like an 8-bit encoding such as Windows-1251", "cp1251"
    return ("it looks like Windows-1252", "cp1252") if byte < 0xA0 else ("it looks like Latin-1", "latin1")


def _convert(name: str, encoding: str) -> str:
    """The command that converts a file to UTF-8, decompressing it first if needed."""
    unpack = _PACKED.get(endings(Path(name))[1])
    file, encoding = shlex.quote(name), re.sub("-(?=[lb]e$)", "", encoding)  # iconv says utf-16le
    return f"{unpack} {file} | iconv -f {encoding} -t utf-8 > utf8.txt" if unpack else f"iconv -f {encoding} -t utf-8 {file} > utf8.txt"
