"""Avro's binary encoding where a test has to write it itself: records that no library would make."""


def varint(n):
    """A long, zigzag."""
    n, out = (n << 1) ^ (n >> 63), b""
    n &= (1 << 64) - 1
    while n > 0x7f:
        out, n = out + bytes([n & 0x7f | 0x80]), n >> 7
    return out + bytes([n])
