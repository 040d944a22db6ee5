"""A forward cursor over BER: just enough ASN.1 to walk a CMS envelope without copying it.

Takes the whole encoding in memory and gives tags, integers, slices; DER and BER (indefinite lengths, constructed
octet strings) are read by the same calls. It descends only where it is told to, so a definite element is skipped in
one step whatever it holds. Fails with `FormatError("ber-illisible")` on anything that is not what the caller asks for.

Hostile input: no recursion, no length believed beyond the bytes there are, and a budget of elements proportional to
the size, so that the walk is linear. A general ASN.1 library builds an object per element, which costs a third of
the RSA operation on a small message and gigabytes on a large one.

Source: ITU-T X.690 §8.1 (tags, lengths), §8.7 (constructed octet strings).
"""

from __future__ import annotations

from oct.errors import FormatError

INTEGER = 0x02
OCTET_STRING = 0x04
NULL = 0x05
OBJECT_IDENTIFIER = 0x06
SEQUENCE = 0x30
SET = 0x31
CONSTRUCTED = 0x20

_INDEFINITE = -1
_END_OF_CONTENTS = b"\0\0"
_HIGH_TAG = 0x1F
_MOST_LENGTH_OCTETS = 8
_ELEMENTS_ALWAYS = 4096
_BYTES_PER_ELEMENT = 128


def context(number: int, *, constructed: bool = True) -> int:
    """The identifier octet of the context-specific tag `[number]`."""
    return 0x80 | (CONSTRUCTED if constructed else 0) | number


def oid(dotted: str) -> bytes:
    """The content octets of an object identifier (X.690 §8.19)."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    encoded = bytearray()
    for arc in (first * 40 + second, *rest):
        group = [arc & 0x7F]
        while arc := arc >> 7:
            group.append(0x80 | arc & 0x7F)
        encoded += bytes(reversed(group))
    return bytes(encoded)


class BerCursor:
    """The cursor. `enter` opens a constructed element and gives its end, which `ends` and `leave` take back."""

    __slots__ = ("_at", "_blob", "_budget")

    def __init__(self, blob: bytes) -> None:
        self._blob = blob
        self._at = 0
        self._budget = _ELEMENTS_ALWAYS + len(blob) // _BYTES_PER_ELEMENT

    def peek(self) -> int:
        """The tag of the next element, 0 at the end of the bytes or of an indefinite element."""
        return self._blob[self._at] if self._at < len(self._blob) else 0

    def enter(self, tag: int) -> int:
        """Step into the constructed element that must stand here; gives its end."""
        end = self._expect(tag)
        return _INDEFINITE if end == _INDEFINITE else self._at + end

    def ends(self, end: int) -> bool:
        """Whether the element that `enter` opened has nothing more."""
        if end == _INDEFINITE:
            return self._blob[self._at : self._at + 2] == _END_OF_CONTENTS
        if self._at > end:
            raise _unreadable()
        return self._at == end

    def leave(self, end: int) -> None:
        """Step out of the element that `enter` opened, past whatever is left in it."""
        if end == _INDEFINITE:
            self._skip_to_end_of_contents()
        elif self._at > end:
            raise _unreadable()
        else:
            self._at = end

    def skip(self) -> None:
        """Step over the next element, whatever it is."""
        _, length = self._header()
        if length == _INDEFINITE:
            self._skip_to_end_of_contents()
        else:
            self._at += length

    def element(self) -> bytes:
        """The next element as it is encoded, header included."""
        start = self._at
        self.skip()
        return self._blob[start : self._at]

    def primitive(self, tag: int) -> bytes:
        """The content octets of the primitive element that must stand here."""
        return bytes(self._take(self._expect(tag)))

    def integer(self) -> int:
        """The INTEGER that must stand here."""
        return int.from_bytes(self.primitive(INTEGER), "big", signed=True)

    def octets(self, tag: int) -> list[memoryview]:
        """The pieces of the octet string whose primitive form has `tag`: one, or those of a constructed string."""
        if self.peek() == tag:
            return [self._take(self._expect(tag))]
        pieces: list[memoryview] = []
        ends = [self.enter(tag | CONSTRUCTED)]
        while ends:
            if self.ends(ends[-1]):
                self.leave(ends.pop())
            elif self.peek() == OCTET_STRING:
                pieces.append(self._take(self._expect(OCTET_STRING)))
            else:
                ends.append(self.enter(OCTET_STRING | CONSTRUCTED))
        return pieces

    def _take(self, length: int) -> memoryview:
        start = self._at
        self._at += length
        return memoryview(self._blob)[start : self._at]

    def _expect(self, tag: int) -> int:
        found, length = self._header()
        if found != tag:
            raise _unreadable()
        return length

    def _header(self) -> tuple[int, int]:
        """Read a tag and a length; the cursor stands on the content, which lies inside the bytes there are."""
        blob, at = self._blob, self._at
        self._budget -= 1
        if self._budget < 0 or at + 2 > len(blob):
            raise _unreadable()
        tag, length = blob[at], blob[at + 1]
        at += 2
        if tag & _HIGH_TAG == _HIGH_TAG:
            raise _unreadable()
        if length == 0x80:
            if not tag & CONSTRUCTED:
                raise _unreadable()
            self._at = at
            return tag, _INDEFINITE
        if length > 0x80:
            octets = length & 0x7F
            if octets > _MOST_LENGTH_OCTETS:
                raise _unreadable()
            length = int.from_bytes(blob[at : at + octets], "big")
            at += octets
        if at + length > len(blob):
            raise _unreadable()
        self._at = at
        return tag, length

    def _skip_to_end_of_contents(self) -> None:
        depth = 1
        while depth:
            if self._blob[self._at : self._at + 2] == _END_OF_CONTENTS:
                self._at += 2
                depth -= 1
                continue
            _, length = self._header()
            if length == _INDEFINITE:
                depth += 1
            else:
                self._at += length


def _unreadable() -> FormatError:
    return FormatError("ber-illisible", "La structure du message chiffré ne peut pas être lue.", rule="M3")
