"""Images, videos and zips that claim or hold too much, or are broken: refused alike in all commands."""

import io
import struct
import zipfile
import zlib

import av
import numpy as np
from attacks.frame import MODEL, Answer, Differs, Place, attack, check
from attacks.material import image_bytes, make_dataset
from PIL import Image

MAX_PEAK_MB = 2000.0  # PyTorch and the model take 700


def png(width: int, height: int, depth: int, colour: int, rows: int | None = None) -> bytes:
    """A PNG of zeros with so many rows of pixels, all of them where None."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = bytes(1 + width * depth // 8 * {0: 1, 2: 3, 6: 4}[colour])
    packer = zlib.compressobj(1)
    pixels = b"".join(packer.compress(row) for _ in range(height if rows is None else rows)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def detect(place: Place, data: bytes, name: str = "a.png", **env: str) -> Answer:
    """Detect in a file with this content."""
    (place.folder / name).write_bytes(data)
    words = ("detect", MODEL, name, "--device", "cpu", "--engine", "torch")
    answer = place.run(*words, env=env)
    check(answer.peak_mb < MAX_PEAK_MB, f"took {answer.peak_mb:.0f} MB")
    return answer


def evaluated(place: Place, data: bytes) -> Answer:
    """Evaluate on a dataset whose one image has this content."""
    make_dataset(place.folder / "data", ("one",))
    (place.folder / "data" / "images" / "one" / "a.jpg").write_bytes(data)
    answer = place.run("evaluate", MODEL, "--data", "data", "--split", "all", "--device", "cpu", "--json")
    check(answer.peak_mb < MAX_PEAK_MB, f"took {answer.peak_mb:.0f} MB")
    return answer


@attack("128 MB of zeros as an image of 64 million pixels, detect", expected="read, or refused, below 2 GB")
def zeros_detect(place: Place) -> str:
    answer = detect(place, png(8000, 8000, 16, 0))
    check(answer.code == 0, answer.err[-200:])
    return f"read, {answer.peak_mb:.0f} MB"


@attack("128 MB of zeros as an image of 64 million pixels, evaluate", expected="read, or refused, below 2 GB")
def zeros_evaluate(place: Place) -> str:
    answer = evaluated(place, png(8000, 8000, 16, 0))
    check(answer.code == 0, answer.err[-200:])
    return f"read, {answer.peak_mb:.0f} MB"


@attack("100 MB of zeros named PNG", expected="one sentence that names it")
def bare_zeros(place: Place) -> str:
    return detect(place, bytes(100_000_000)).refused("a.png")


@attack(
    "a header that claims 2,500 million pixels", expected="one sentence with the limit and how to raise it"
)
def claims(place: Place) -> str:
    return detect(place, png(50_000, 50_000, 8, 2, rows=1)).refused(
        "2500 million pixels", "VECTOR_TL_MAX_MEGAPIXELS=2500"
    )


@attack("the same in evaluate", expected="one sentence with the limit and how to raise it")
def claims_evaluate(place: Place) -> str:
    return evaluated(place, png(50_000, 50_000, 8, 2, rows=1)).refused("VECTOR_TL_MAX_MEGAPIXELS=2500")


@attack("the same in label import", expected="not imported, one sentence")
def claims_import(place: Place) -> str:
    source = place.folder / "in"
    source.mkdir()
    (source / "a.png").write_bytes(png(50_000, 50_000, 8, 2, rows=1))
    answer = place.run("label", "import", "in", "--data", "data", "--session", "s")
    check(not list(place.folder.glob("data/images/*/*")), "it was imported")
    check("VECTOR_TL_MAX_MEGAPIXELS" in answer.err + answer.out, answer.err[-300:])
    return (answer.err.strip().splitlines() or [""])[-1][:200]


@attack("a WebP whose canvas is 16,383 pixels wide and high", expected="one sentence with the limit")
def canvas(place: Place) -> str:
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (16382).to_bytes(3, "little") * 2
    data = b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body
    return detect(place, data, "a.webp").refused("a.webp")


@attack("every format, cut off at half: detect and label import", expected="refused by both")
def cut_off(place: Place) -> str:
    source = place.folder / "in"
    source.mkdir()
    forms = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "JPEG2000", "AVIF")
    for form in forms:
        data = image_bytes(form, (200, 120))
        (source / f"{form}.jpg").write_bytes(data[: len(data) // 2])
    answer = place.run("detect", MODEL, "in", "--device", "cpu", "--engine", "torch")
    refused = [form for form in forms if f"{form}.jpg" in answer.err and f"{form}.jpg#" not in answer.out]
    check(set(refused) == set(forms), f"detect read {set(forms) - set(refused)}")
    place.run("label", "import", "in", "--data", "data", "--session", "s")
    taken = [path.stem for path in place.folder.glob("data/images/*/*")]
    check(not taken, f"label import took {taken}")
    return "refused by both"


@attack("EXIF turn, CMYK, 16 bits, palette, alpha, grey, GIF, WebP, AVIF", expected="read alike")
def kinds(place: Place) -> str:
    rgb = Image.open(io.BytesIO(image_bytes("PNG", (64, 36))))
    exif = rgb.getexif()
    exif[0x0112] = 6
    saved = {
        "turned": ("JPEG", rgb, {"exif": exif}),
        "cmyk": ("JPEG", rgb.convert("CMYK"), {}),
        "deep": ("PNG", Image.fromarray(np.asarray(rgb.convert("L")).astype(np.uint16) * 257), {}),
        "palette": ("PNG", rgb.convert("P"), {}),
        "alpha": ("PNG", rgb.convert("RGBA"), {}),
        "grey": ("JPEG", rgb.convert("L"), {}),
        "gif": ("GIF", rgb, {}),
        "webp": ("WEBP", rgb, {}),
        "avif": ("AVIF", rgb, {}),
    }
    source = place.folder / "in"
    source.mkdir()
    for name, (form, image, options) in saved.items():
        image.save(source / f"{name}.jpg", form, **options)
    answer = place.run("detect", MODEL, "in", "--device", "cpu", "--engine", "torch")
    check(answer.code == 0, answer.err[-300:])
    place.run("label", "import", "in", "--data", "data", "--session", "s")
    taken = {path.stem for path in place.folder.glob("data/images/*/*")}
    check(taken == set(saved), f"label import left out {set(saved) - taken}: by detect they are images")
    return f"{len(taken)} read by detect and by label import"


@attack("an EPS named JPEG, which Pillow would give to Ghostscript", expected="one sentence, nothing run")
def eps(place: Place) -> str:
    code = (
        f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n({place.folder}/owned) (w) file\n"
    )
    seen = detect(place, code.encode(), "a.jpg").refused("a.jpg")
    check(not (place.folder / "owned").exists(), "it ran")
    return seen


@attack("a video with frames of 100 million pixels", expected="one sentence with the limit")
def large_video(place: Place) -> str:
    path = place.folder / "a.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=5)
        stream.width, stream.height, stream.pix_fmt = 10_000, 10_000, "gray"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((10_000, 10_000), np.uint8), "gray")))
        container.mux(stream.encode())
    return detect(place, path.read_bytes(), "a.avi").refused("VECTOR_TL_MAX_MEGAPIXELS=100")


@attack("an animation that lasts 30 hours", expected="one sentence with the limit")
def long_animation(place: Place) -> str:
    frames = [Image.fromarray(np.full((4, 4), 5 * k, np.uint8)) for k in range(2)]
    file = io.BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:] * 13, duration=2**23)
    return detect(place, file.getvalue(), "a.webp").refused("hours")


@attack("more frames than the limit", expected="those up to it, then one sentence")
def many_frames(place: Place) -> str:
    frames = [Image.fromarray(np.full((8, 8), 5 * k, np.uint8)) for k in range(20)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=100)
    return detect(place, file.getvalue(), "a.gif", VECTOR_TL_MAX_FRAMES="5").refused("frames")


def imported(place: Place, entries: dict[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> Answer:
    """Import a zip with these entries."""
    with zipfile.ZipFile(place.folder / "a.zip", "w", packing) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    answer = place.run("label", "import", "a.zip", "--data", "data")
    check(answer.peak_mb < MAX_PEAK_MB, f"took {answer.peak_mb:.0f} MB")
    left = [path for path in place.folder.glob("data/**/*") if path.is_file() and "images" in path.parts]
    if left:
        raise Differs(f"it left {left[0]}")
    return answer


@attack("a zip of 300 MB of zeros", expected="one sentence with the limit")
def swelling_zip(place: Place) -> str:
    return imported(place, {f"{n}.jpg": bytes(100_000_000) for n in range(3)}).refused("VECTOR_TL_MAX_RATIO")


@attack("a zip of 250,000 files", expected="one sentence with the limit")
def many_members(place: Place) -> str:
    entries = {f"{number}.txt": b"" for number in range(250_000)}
    return imported(place, entries, zipfile.ZIP_STORED).refused("VECTOR_TL_MAX_MEMBERS")


@attack("a zip that leads out of its folder", expected="one sentence, nothing written")
def leads_out(place: Place) -> str:
    seen = imported(place, {"../owned.jpg": image_bytes()}).refused("leads out")
    check(not list(place.folder.rglob("owned*")), "it was written")
    return seen


@attack("a zip within a zip within a zip", expected="one sentence, nothing unpacked")
def nested(place: Place) -> str:
    inner = bytes(50_000_000)
    for _ in range(3):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("a.zip", inner)
        inner = file.getvalue()
    return imported(place, {"a.zip": inner}).refused("no images")
