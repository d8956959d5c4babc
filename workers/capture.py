"""What of a process's output is kept or passed on: each stream up to its cap."""

import codecs
from dataclasses import dataclass, field

from protocol.command import OutputStream


@dataclass
class Output:
    """One stream as far as its cap lets it through.  `kept` stays empty when it is passed on."""

    stream: OutputStream
    cap_bytes: int | None
    kept: bytearray = field(default_factory=bytearray)
    size: int = 0
    cap_reached: bool = False

    def pass_through(self, data: bytes) -> bytes | None:
        """What of `data` is within the cap; None once the cap had been reached before."""
        if self.cap_reached:
            return None
        if self.cap_bytes is not None:
            data = data[: self.cap_bytes - self.size]
        self.size += len(data)
        self.cap_reached = self.size == self.cap_bytes
        return data

    def text(self) -> str:
        return text_of(bytes(self.kept), cut=self.cap_reached)


def text_of(data: bytes, *, cut: bool = False) -> str:
    """Text in UTF-8, else in the encoding of old Western files, as the reference server guesses.

    A character that the cap has `cut` in two is left out.
    """
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        if cut and error.reason == "unexpected end of data":
            return data[: error.start].decode()
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return data.decode("utf-16", "replace")
    text = data.decode(errors="replace")
    if all(char < "\x80" or char == "\ufffd" for char in text) and "\0" not in text:
        return data.decode("cp1252", "replace")
    return text  # some of it is UTF-8, or it is no text at all
