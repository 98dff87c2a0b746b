"""Images in memory, the folders that backgrounds are drawn from, and batches with every kind of variety."""

import cv2
import numpy as np
import pytest
import torch

from vector_tl.data.dataset import load_dataset, write_item
from vector_tl.data.images import KEPT_WH
from vector_tl.errors import UserError
from vector_tl.train import batches, pixels
from vector_tl.train.batches import Batches, Images, keep_folder, keep_images
from vector_tl.train.pixels import EncodedPixels
from vector_tl.train.settings import Variety

pytestmark = pytest.mark.fast
CPU, EMPTY = torch.device("cpu"), np.zeros((0, 4))
EVERYTHING = Variety(mosaic=0.5, max_zoom_out=3.5, colour_cast=0.5, grayscale=0.3, cutout=0.5)


def numbered(count, boxes=EMPTY, folders=None):
    """Images whose level is their number."""
    pixels = torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(count, 3, 36, 64).clone()
    return Images(pixels, [boxes] * count, folders)


def photos(folder, names, size_wh=(64, 36)):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(len(name)).integers(60, 200, (9, 16, 3), dtype=np.uint8)
        cv2.imwrite(str(path), cv2.resize(noise, size_wh, interpolation=cv2.INTER_CUBIC))
    return folder


def test_without_variety_batches_are_as_ever():
    """Figures of the version before there was any; a further draw from the same generator changes them."""
    box = np.array([[0.2, 0.2, 0.8, 0.8]])
    batches = Batches(numbered(40, box), numbered(5), 16, (32, 32), 3, CPU)
    means = [float(batches.next_batch()[0].mean()) for _ in range(3)]
    np.testing.assert_allclose(means, [0.21200, 0.18724, 0.18229], atol=1e-4)
    assert int(batches.rng.integers(10**6)) == 593777


@pytest.mark.parametrize(
    "option", [{"mosaic": 0.5}, {"colour_cast": 1.0}, {"grayscale": 1.0}, {"cutout": 1.0}]
)
def test_variety_does_not_change_what_else_is_drawn(option):
    """Windows, light and order are those of the same training without it, so that only the option differs."""
    plain = Batches(numbered(40), numbered(5), 16, (32, 32), 0, CPU)
    varied = Batches(numbered(40), numbered(5), 16, (32, 32), 0, CPU, variety=Variety(**option))
    plain.next_batch(), varied.next_batch()
    assert plain.state()["order"] == varied.state()["order"]
    assert plain.state()["rng"] == varied.state()["rng"]


def test_batches_with_all_variety_continue_where_they_were():
    def fresh(seed):
        rng = np.random.default_rng(0)
        pixels = torch.from_numpy(rng.integers(0, 256, (9, 3, 36, 64), dtype=np.uint8))
        boxes = [np.array([[0.1, 0.2, 0.6, 0.9]])] * 9
        return Batches(Images(pixels, boxes), numbered(4), 8, (48, 48), seed, CPU, variety=EVERYTHING)

    one, other = fresh(1), fresh(2)
    one.next_batch()
    other.restore(one.state())
    (pixels, targets), (same_pixels, same_targets) = one.next_batch(), other.next_batch()
    assert torch.equal(pixels, same_pixels)
    assert torch.equal(targets.boxes, same_targets.boxes) and torch.equal(targets.labels, same_targets.labels)
    assert not torch.equal(one.next_batch()[0], pixels)


def test_a_mosaic_holds_its_own_image_and_others_of_the_dataset_and_the_backgrounds():
    levels = set()
    batches = Batches(numbered(20), Images(numbered(1).pixels + 200, [EMPTY]), 16, (32, 32), 0, CPU, 0.25,
                      variety=Variety(mosaic=1.0))  # fmt: skip
    pixels, _ = batches._with_mosaics(batches.images.decoded(slice(12)), [EMPTY] * 12)
    for mosaic, own in zip(pixels, range(12), strict=True):
        found = set(mosaic.unique().tolist())
        assert own in found and 2 <= len(found) <= 4
        levels |= found
    for _ in range(10):
        levels |= set(batches._draw_others(9)[0].unique().tolist())
    assert 200 in levels and levels - {200} <= set(range(20)) and len(levels) > 15


@pytest.mark.parametrize("source", [0, 1])
def test_others_come_with_their_own_boxes(source):
    """The box of each image says its number."""
    boxes = [np.array([[0.0, 0.0, 0.5, (i + 1) / 64]]) for i in range(30)]
    images = Images(numbered(30).pixels, boxes)
    backgrounds = Images(numbered(30).pixels, [EMPTY] * 30) if source else None
    batches = Batches(images, backgrounds, 16, (32, 32), 0, CPU, 0.5)
    pixels, of_others = batches._draw_others(40)
    with_box = [(int(p[0, 0, 0]), b) for p, b in zip(pixels, of_others, strict=True) if len(b)]
    assert all(b[0, 3] == (level + 1) / 64 for level, b in with_box)
    assert (len(with_box) < 35) if source else len(with_box) == 40


def test_backgrounds_are_drawn_evenly_over_folders():
    folders = np.repeat([0, 1, 2], [100, 10, 2])
    drawn = numbered(112, folders=folders).draw(6000, np.random.default_rng(0))
    shares = np.bincount(folders[drawn]) / 6000
    np.testing.assert_allclose(shares, 1 / 3, atol=0.03)
    assert set(drawn) == set(range(112))


def test_one_folder_is_drawn_from_as_ever():
    """The same numbers as before there were folders, so that the same seed gives the same training."""
    one = numbered(50, folders=np.zeros(50, int))
    wanted = np.random.default_rng(7).integers(50, size=9)
    assert (one.draw(9, np.random.default_rng(7)) == wanted).all()
    assert (numbered(50).draw(9, np.random.default_rng(7)) == wanted).all()


def test_folders_are_those_that_hold_the_images(tmp_path):
    photos(tmp_path / "grounds", ["0.png", "1.png"])
    photos(tmp_path / "rooms", ["desk/0.png", "desk/1.png", "desk/2.png", "floor/0.png"])
    (tmp_path / "rooms" / "desk" / "SOURCE.md").write_text("no image")
    images = keep_folder(tmp_path / "grounds", tmp_path / "rooms", tmp_path / "rooms" / "desk")
    assert len(images) == 6 and np.bincount(images.folders).tolist() == [2, 3, 1]
    some = images.part([0, 2, 5])
    assert some.folders.tolist() == [0, 1, 2] and images.part(slice(1, None, 2)).folders.tolist() == [0, 1, 2]
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match="none holds no readable images"):
        keep_folder(tmp_path / "grounds", tmp_path / "none")


@pytest.fixture
def dataset(tmp_path):
    """Two images of the camera's size, one as JPEG, one not, and a larger one."""
    rng = np.random.default_rng(0)
    for name, size_wh, suffix in (("a", KEPT_WH, ".jpg"), ("b", KEPT_WH, ".png"), ("c", (800, 600), ".jpg")):
        noise = cv2.resize(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), size_wh)
        data = cv2.imencode(suffix, noise)[1].tobytes()
        write_item(tmp_path, "one", name, data, np.array([[10, 10, 90, 90]]), size_wh, suffix)
    return load_dataset(tmp_path, "all").items


def test_encoded_images_are_the_same_as_decoded_ones(dataset):
    decoded, encoded = keep_images(dataset), keep_images(dataset, encoded=True)
    assert isinstance(encoded.pixels, EncodedPixels) and len(encoded.pixels) == len(encoded) == 3
    pixels = encoded.decoded(slice(None))
    assert pixels.dtype == torch.uint8 and pixels.shape == decoded.pixels.shape
    assert torch.equal(pixels[0], decoded.pixels[0]), "a JPEG of the camera's size is kept as it is"
    assert float((pixels.float() - decoded.pixels.float()).abs().mean()) < 3
    assert encoded.pixels.files[0].data == dataset[0].image_path.read_bytes()
    for which in (slice(1, 3), [2, 0], torch.tensor([1])):
        assert torch.equal(encoded.decoded(which), pixels[which])
        assert torch.equal(encoded.part(which).decoded(slice(None)), pixels[which])
    assert encoded.decoded([]).shape == (0, 3, 360, 640)
    (part,) = encoded.in_decoded_parts()
    assert torch.equal(part.pixels, pixels) and next(decoded.in_decoded_parts()) is decoded


def test_many_images_of_the_camera_are_kept_without_decoding_them(dataset, monkeypatch):
    """Time to the first step must not grow by the milliseconds of a decoded image for each."""
    decoded = []
    decode = pixels.decode_image
    monkeypatch.setattr(pixels, "decode_image", lambda *file: decoded.append(file[1]) or decode(*file))
    monkeypatch.setattr(batches, "MAX_DECODED", 2)
    images = keep_images(dataset)
    other = {str(item.image_path) for item in dataset[1:]}
    assert set(decoded) == other and len(decoded) == len(other), "those of another form or size, each once"
    images.decoded([0])
    assert decoded[2:] == [str(dataset[0].image_path)]


def test_a_damaged_image_that_is_kept_encoded_is_named(dataset):
    path = dataset[0].image_path
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    with pytest.raises(UserError, match=path.name):
        keep_images(dataset, encoded=True)
    path.write_bytes(whole.replace(b"\xff\xdb", b"\xff\xfe"))  # no quantization tables, but a comment each
    kept = keep_images(dataset, encoded=True)
    with pytest.raises(UserError, match=path.name):
        kept.decoded([0])


def test_batches_of_encoded_images_are_the_same(dataset):
    one, other = (
        Batches(keep_images(dataset[:1], encoded), None, 4, (32, 32), 0, CPU, variety=EVERYTHING)
        for encoded in (False, True)
    )
    assert torch.equal(one.next_batch()[0], other.next_batch()[0])


def test_folders_can_be_kept_encoded(tmp_path):
    photos(tmp_path, ["a/0.png", "b/00.png"])
    decoded, encoded = keep_folder(tmp_path), keep_folder(tmp_path, encoded=True)
    assert encoded.folders.tolist() == decoded.folders.tolist() == [0, 1]
    assert float((encoded.decoded([0, 1]).float() - decoded.pixels.float()).abs().mean()) < 3


def test_encoded_images_are_decoded_where_a_gpu_has_room_for_all(dataset, monkeypatch):
    """The CPU counts as having none; in parts, so that its own memory never holds all of them."""
    encoded = keep_images(dataset, encoded=True)
    pixels_before = encoded.decoded(slice(None))
    assert pixels.room_bytes(CPU) == 0 and isinstance(encoded.on(CPU).pixels, EncodedPixels)
    monkeypatch.setattr(pixels, "DECODED_AT_ONCE", 2)
    for room, decoded in ((pixels.decoded_bytes(3) - 1, False), (pixels.decoded_bytes(3), True)):
        monkeypatch.setattr(batches, "room_bytes", lambda device, room=room: room)
        images = encoded.on(CPU)
        assert isinstance(images.pixels, torch.Tensor) == decoded and len(images) == 3
        assert torch.equal(images.decoded([2, 0]), pixels_before[[2, 0]])


def test_places_hold_the_boxes_of_every_batch():
    """With mosaics of images with three boxes, an image can have twelve; with pasted Vectors, three more."""
    three = np.array([[0.1, 0.1, 0.3, 0.4], [0.4, 0.1, 0.6, 0.4], [0.7, 0.1, 0.9, 0.4]])
    images = numbered(6, three)
    for variety, places in (
        (Variety(), 3),
        (Variety(paste=0.1), 6),
        (Variety(mosaic=0.1), 12),
        (Variety(mosaic=0.1, paste=0.1), 15),
    ):
        assert Batches(images, None, 4, (48, 48), 0, CPU, variety=variety)._max_boxes() == places
    varied = Batches(images, None, 4, (300, 300), 0, CPU, variety=Variety(mosaic=1.0))
    varied.places = varied._max_boxes()
    shapes = {tuple(varied.next_batch()[1].boxes.shape) for _ in range(4)}
    assert shapes == {(4, 12, 4)}
    assert Batches(numbered(6), None, 4, (48, 48), 0, CPU)._max_boxes() == 1
