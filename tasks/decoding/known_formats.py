"""What a file is, in words, that is no picture which is read: what people have beside their scans.

By the content, as everywhere: names of files say what somebody took them for.
"""

import codecs
import re

LOOKED_AT = 65_536  # bytes
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ZIP = b"PK\x03\x04"

# what a file begins with; of several that fit, the first
BEGINNINGS = (
    (b"\xc5\xd0\xd3\xc6", "a PostScript file (EPS)"),
    (b"8BPS", "a Photoshop picture"),
    (b"gimp xcf", "a GIMP picture"),
    (b"AT&TFORM", "a DjVu file"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"FUJIFILMCCD-RAW", "a camera's raw picture (Fujifilm)"),
    (b"IIRO", "a camera's raw picture (Olympus)"),
    (b"IIU\0", "a camera's raw picture (Panasonic)"),
    (b"FOVb", "a camera's raw picture (Sigma)"),
    (b"\xd7\xcd\xc6\x9a", "a Windows metafile (WMF)"),
    (b"icns", "an icon of a Mac"),
    (b"\x1aE\xdf\xa3", "a video (Matroska or WebM)"),
    (b"\0\0\x01\xba", "a video (MPEG)"),
    (b"\0\0\x01\xb3", "a video (MPEG)"),
    (b"FLV", "a video (Flash)"),
    (b"0&\xb2u\x8ef\xcf\x11", "a video or sound (Windows Media)"),
    (b"OggS", "a sound or video (Ogg)"),
    (b"fLaC", "a sound (FLAC)"),
    (b"ID3", "a sound (MP3)"),
    (b"\xff\xfb", "a sound (MP3)"),
    (b"\xff\xf3", "a sound (MP3)"),
    (b"#!AMR", "a sound (AMR)"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x1f\x8b", "a file compressed by gzip"),
    (b"BZh", "a file compressed by bzip2"),
    (b"\xfd7zXZ\0", "a file compressed by xz"),
    (b"\x28\xb5\x2f\xfd", "a file compressed by Zstandard"),
    (b"MSCF", "a Windows archive (CAB)"),
    (b"CMMM", "a Windows thumbnail cache"),
    (b"\x4c\0\0\0\x01\x14\x02\0", "a Windows shortcut"),
    (b"\0\0\0\x01Bud1", "a Mac's folder settings (.DS_Store)"),
    (b"\0\x05\x16\x07", "what a Mac keeps beside a file (AppleDouble, ._*)"),
    (b"\0\x05\x16\0", "what a Mac keeps of a file (AppleSingle)"),
    (b"bplist00", "a property list of a Mac or iPhone"),
    (b"book\0\0\0\0mark", "an alias of a Mac"),
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a program"),
    (b"\xcf\xfa\xed\xfe", "a program of a Mac"),
    (b"SQLite format 3\0", "a database (SQLite)"),
    (b"\0\x01\0\0Standard ", "a database (Access)"),
    (b"!BDN", "an Outlook mail folder"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"PAR1", "a Parquet table"),
    (b"wOFF", "a font"),
    (b"wOF2", "a font"),
    (b"OTTO", "a font"),
)
# streams of an OLE file by their names, which are in UTF-16 and end in a zero
STREAMS = (
    ("WordDocument", "a Word document"),
    ("Workbook", "an Excel workbook"),
    ("PowerPoint Document", "a PowerPoint presentation"),
    ("__properties_version1.0", "an Outlook message"),
    ("Catalog", "a Windows thumbnail cache (Thumbs.db)"),
)
# members of zip archives that are documents
MEMBERS = (
    (b"word/document.xml", "a Word document"),
    (b"xl/workbook.", "an Excel workbook"),
    (b"ppt/presentation.xml", "a PowerPoint presentation"),
    (b"mimetypeapplication/epub", "a book (EPUB)"),
    (b"mimetypeapplication/vnd.oasis.opendocument.text", "a text document (OpenDocument)"),
    (b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "a spreadsheet (OpenDocument)"),
    (b"mimetypeapplication/vnd.oasis.opendocument", "a document (OpenDocument)"),
    (b"Index/Document.iwa", "a Pages, Numbers or Keynote document"),
    (b"AndroidManifest.xml", "an Android app"),
)
# brands of the container of MP4 (ISO 14496-12), by how they begin
BRANDS = (
    (b"avi", ""),  # AVIF is read
    (b"crx", "a camera's raw picture (Canon)"),
    (b"qt  ", "a video (QuickTime)"),
    (b"M4A", "a sound (MPEG-4)"),
    (b"M4B", "a sound (MPEG-4)"),
    (b"3g", "a video (3GPP)"),
    (b"", "a video (MP4)"),
)
# what has its mark further on, after so many bytes
ELSEWHERE = (
    (4, b"moov", "a video (QuickTime)"),
    (4, b"mdat", "a video (QuickTime)"),
    (4, b"wide", "a video (QuickTime)"),
    (40, b" EMF", "a Windows metafile (EMF)"),
    (128, b"DICM", "a medical picture (DICOM)"),
    (257, b"ustar", "a tar archive"),
)
RIFF_KINDS = {b"AVI ": "a video (AVI)", b"WAVE": "a sound (WAV)"}
BEFORE = rb"(?>\s|<\?[^>]*>|<!--.*?-->|<!doctype svg[^>]*>)*+"
# what text of a kind begins with
TEXTS = (
    (re.compile(BEFORE + rb"<svg\b", re.S | re.I), "a drawing (SVG)"),
    (re.compile(BEFORE + rb"<(!doctype )?(html|head|body)\b", re.S | re.I), "a web page (HTML)"),
    (re.compile(rb"\s*<\?xml\b"), "an XML file"),
    (re.compile(rb"\s*\[\.ShellClassInfo\]", re.I), "Windows folder settings (desktop.ini)"),
    (re.compile(rb"%!PS"), "a PostScript file"),
    (re.compile(rb"\{\\rtf"), "a text document (RTF)"),
    (re.compile(rb"version https://git-lfs"), "a Git LFS pointer, in place of the file itself"),
    (re.compile(rb"#!"), "a script"),
)
BYTE_ORDER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
NO_TEXT = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f\x7f]")  # control characters but white space
NO_ASCII = re.compile(rb"[\x80-\xff]+")
MOST_ACCENTS = 0.1  # of the bytes of a text in an encoding that is not known


def name_of(data: bytes) -> str:
    """Return what a file is, such as `a Word document`; nothing if that is not known."""
    start = data[:LOOKED_AT]
    if not start.strip(b"\0") and not data.strip(b"\0"):
        return f"{len(data):,} bytes that are all zero"
    return _kind_of_text(start) or _container(start, data) or _beginning(start)


def _container(start: bytes, data: bytes) -> str:
    """Return what a file is that holds others, or pictures, sounds and videos."""
    if start.startswith(OLE):
        streams = (name for text, name in STREAMS if f"{text}\0".encode("utf-16-le") in data)
        return next(streams, "a Windows document or thumbnail cache (OLE)")
    if start.startswith(ZIP):
        # the directory of the members is at the end
        place = start[26:512] + data[-LOOKED_AT:]
        return next((name for member, name in MEMBERS if member in place), "a zip archive")
    if start[4:8] == b"ftyp":
        return next(name for brand, name in BRANDS if start[8:].startswith(brand))
    if start.startswith(b"RIFF"):
        return RIFF_KINDS.get(start[8:12], "")
    return ""


def _beginning(start: bytes) -> str:
    names = (name for at, mark, name in ELSEWHERE if start.startswith(mark, at))
    return next(names, "") or next((n for mark, n in BEGINNINGS if start.startswith(mark)), "")


def _kind_of_text(start: bytes) -> str:
    if start.startswith(BYTE_ORDER_MARKS):
        return "text"
    if start.startswith(b"GIF8") or NO_TEXT.search(start) or not start:
        return ""
    plain = start.removeprefix(codecs.BOM_UTF8)
    try:
        # a character may be cut where the look at it ends
        codecs.getincrementaldecoder("utf-8")().decode(plain)
    except UnicodeDecodeError:
        if sum(map(len, NO_ASCII.findall(plain))) > MOST_ACCENTS * len(plain):
            return ""
    return next((name for begins, name in TEXTS if begins.match(plain)), "text")
