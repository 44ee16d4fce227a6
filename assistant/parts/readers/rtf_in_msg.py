"""RTF as Outlook packs it inside a letter (MS-OXRTFCP)."""

from __future__ import annotations

from assistant.errors import DocumentError

_DICTIONARY = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor "
    b"MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
    b"\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
_WINDOW = 4096
_HEADER = 16
_LARGEST = 64 << 20


def decompressed(packed: bytes) -> bytes:
    """Raises `DocumentError`."""
    if packed[8:12] == b"MELA":  # stored as it is
        return packed[_HEADER:]
    if packed[8:12] != b"LZFu":
        raise DocumentError("its text is packed in an unknown way")
    window = bytearray(_DICTIONARY.ljust(_WINDOW, b"\0"))
    place, at = len(_DICTIONARY), _HEADER
    found = bytearray()
    while at < len(packed) and len(found) < _LARGEST:
        control, at = packed[at], at + 1
        for bit in range(8):
            if at >= len(packed):
                break
            if not control >> bit & 1:
                piece, at = packed[at : at + 1], at + 1
            else:
                reference, at = int.from_bytes(packed[at : at + 2], "big"), at + 2
                start, length = reference >> 4, (reference & 15) + 2
                if start == place:  # the mark of the end
                    return bytes(found)
                piece = _repeated(window, start, length, place)
            for byte in piece:
                window[place] = byte
                place = (place + 1) % _WINDOW
            found += piece
    return bytes(found)


def _repeated(window: bytearray, start: int, length: int, place: int) -> bytes:
    """A piece of what was written before; it may run into what it writes itself."""
    piece = bytearray()
    for offset in range(length):
        at = (start + offset) % _WINDOW
        ahead = (at - place) % _WINDOW
        piece.append(piece[ahead] if ahead < len(piece) else window[at])
    return bytes(piece)
