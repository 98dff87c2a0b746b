"""Whether a JPEG has arrived whole, by its bytes alone: some 10 us, where decoding takes 2 ms."""

START, SCAN, END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"


def has_end(jpeg: bytes) -> bool:
    """Whether its end of image comes after its last scan; that of a thumbnail comes before."""
    return jpeg.rfind(END) > jpeg.rfind(SCAN)


def is_whole(jpeg: bytes) -> bool:
    """Whether bytes begin and end as a JPEG does; what is damaged in between only decoding shows."""
    return jpeg.startswith(START) and has_end(jpeg)
