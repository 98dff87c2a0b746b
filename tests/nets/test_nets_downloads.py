"""Downloaded weights are used only while their checksum is the written one; no file of a model runs code."""

import hashlib
import http.server
import io
import pickle
import threading
import zipfile

import pytest
import torch

from vector_tl.errors import UserError
from vector_tl.nets import coco_file, downloads, mobilenet_v3, state_dict
from vector_tl.nets.archs import ARCHS
from vector_tl.nets.build import build
from vector_tl.nets.downloads import NotDownloaded, cached_bytes, download
from vector_tl.train.state import TrainState

pytestmark = pytest.mark.fast

RIGHT = b"the right weights"
SHA256 = hashlib.sha256(RIGHT).hexdigest()


class Trap:
    """Unpickling it is seen."""

    def __reduce__(self):
        return pytest.fail, ("loading a model ran code",)


def trap() -> bytes:
    file = io.BytesIO()
    torch.save({"model": Trap()}, file)
    return file.getvalue()


@pytest.fixture
def serve():
    """Offers some bytes on this computer, and gives their address."""
    servers = []

    def offer(data: bytes) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_args):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/weights"

    yield offer
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_right_file_of_the_cache_is_used(tmp_path):
    assert cached_bytes(tmp_path / "w.pth", SHA256) is None
    (tmp_path / "w.pth").write_bytes(RIGHT)
    assert cached_bytes(tmp_path / "w.pth", SHA256) == RIGHT


def test_a_wrong_file_of_the_cache_is_named_and_set_aside(tmp_path, caplog):
    (tmp_path / "w.pth").write_bytes(b"others'")
    assert cached_bytes(tmp_path / "w.pth", SHA256) is None
    assert [path.name for path in tmp_path.iterdir()] == ["w.pth.wrong"]
    assert (tmp_path / "w.pth.wrong").read_bytes() == b"others'"
    assert f"{tmp_path}/w.pth is not the file that was released" in caplog.text


def test_a_download_is_kept_only_if_it_is_right(tmp_path, serve):
    path = tmp_path / "w.pth"
    with pytest.raises(NotDownloaded, match="checksum differs"):
        download(serve(b"others'"), path, SHA256)
    assert not path.exists()
    assert download(serve(RIGHT), path, SHA256) == RIGHT == path.read_bytes()


def test_a_download_from_a_zip(tmp_path, serve):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("detect.tflite", RIGHT)
    path = tmp_path / "detect.tflite"
    for sent, member in ((b"no zip", "detect.tflite"), (file.getvalue(), "other")):
        with pytest.raises(NotDownloaded):
            download(serve(sent), path, SHA256, member=member)
    assert not path.exists()
    assert (
        download(serve(file.getvalue()), path, SHA256, member="detect.tflite") == RIGHT == path.read_bytes()
    )


def offline(*_: object, **__: object) -> bytes:
    """A download where there is no network."""
    raise NotDownloaded("no network")


def test_without_a_network_the_reason_stands_in_one_error_and_nowhere_else(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(coco_file.VARIABLE, raising=False)
    monkeypatch.setattr(coco_file, "RELEASE", "http://127.0.0.1:9/weights.zip")  # nobody answers there
    with pytest.raises(UserError, match=r"not be downloaded \(.*refused.*\); download http"):
        coco_file.find_weights()
    assert "refused" not in caplog.text


def test_a_planted_file_in_torchvisions_cache_runs_no_code(tmp_path, monkeypatch):
    """torchvision's own loader would unpickle it: it checks the checksum only when it downloads."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(mobilenet_v3, "download", offline)
    planted = tmp_path / "hub" / "checkpoints" / mobilenet_v3.COCO_URL.rsplit("/", 1)[1]
    planted.parent.mkdir(parents=True)
    planted.write_bytes(trap())
    with pytest.raises(UserError, match=f"put it into {planted.parent}"):
        build(ARCHS[1], "coco")
    assert not planted.exists() and planted.with_name(planted.name + downloads.WRONG).exists()


def test_torchvisions_weights_are_taken_when_they_are_the_released_ones(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    theirs = build(ARCHS[1], "scratch", seed=3)
    file = io.BytesIO()
    torch.save(theirs.state_dict(), file)
    monkeypatch.setattr(mobilenet_v3, "COCO_SHA256", hashlib.sha256(file.getvalue()).hexdigest())
    path = tmp_path / "hub" / "checkpoints" / mobilenet_v3.COCO_URL.rsplit("/", 1)[1]
    path.parent.mkdir(parents=True)
    path.write_bytes(file.getvalue())
    ours = build(ARCHS[1], "coco", seed=4).state_dict()
    body = [name for name in ours if ".classification_head." not in name]
    assert body and all(torch.equal(ours[name], theirs.state_dict()[name]) for name in body)


def test_the_pinned_checksum_is_that_of_torchvisions_name():
    assert len(mobilenet_v3.COCO_SHA256) == 64
    assert f"-{mobilenet_v3.COCO_SHA256[:8]}.pth" in mobilenet_v3.COCO_URL


@pytest.mark.parametrize("data", [trap(), pickle.dumps(Trap()), pickle.dumps({"model": Trap()}, 0)])
def test_no_file_of_a_training_runs_code(data, tmp_path):
    (tmp_path / "m.pth").write_bytes(data)
    with pytest.raises(UserError, match=r"m\.pth"):
        build(ARCHS[1], tmp_path / "m.pth")
    state = TrainState("", *[None] * 4, started_s=0.0)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"m\.pth"):
        state.restore(tmp_path / "m.pth", rank=0, world=1)
    with pytest.raises(UserError, match=r"m\.pth"):
        state_dict.load_tensors(tmp_path / "m.pth", "take another one")
