"""Connections that nobody asked for: where commands send anything, as the kernel sees it (strace)."""

import re
import shutil
import sys

from attacks.frame import MODEL, Place, attack, check
from attacks.material import image_bytes, make_dataset

SENT = re.compile(r'port=htons\((\d+)\).*?(?:inet_addr\("|inet_pton\(AF_INET6, ")([^"]+)"')
DNS = 53  # asked at this machine too, it goes out


def refuse_connections(place: Place, *command: str, works: bool = True) -> str:
    """Run a program under strace, and check that it and its children sent nothing beyond this machine."""
    strace = shutil.which("strace")
    check(strace is not None, "strace is not installed")
    log = place.folder / "strace.log"
    traced = [str(strace), "-f", "-qq", "--seccomp-bpf", "-e", "trace=connect,sendto,sendmsg,sendmmsg"]
    answer = place.program([*traced, "-o", str(log), *command])
    check(not works or answer.code == 0, f"exit {answer.code}: {answer.err[-300:]}")
    sent = set()
    for port, address in SENT.findall(log.read_text(errors="replace")):
        home = address.startswith("127.") or address == "::1"
        if (not home and port != "0") or int(port) == DNS:  # port 0 asks the kernel for a route, no more
            sent.add(f"{address} port {port}")
    check(not sent, f"sent to {', '.join(sorted(sent))}")
    return "no connection"


def refuse_connections_of(place: Place, *words: str, works: bool = True) -> str:
    """As `refuse_connections`, of a command of vector-tl, which ends with 0 where it `works`."""
    return refuse_connections(place, sys.executable, "-m", "vector_tl", *words, works=works)


@attack("detect on the CPU (OpenVINO reports each import to its makers)", expected="no connection")
def detect(place: Place) -> str:
    (place.folder / "a.jpg").write_bytes(image_bytes())
    return refuse_connections_of(place, "detect", MODEL, "a.jpg", "--device", "cpu", "--json")


@attack("evaluate with a report", expected="no connection")
def evaluate(place: Place) -> str:
    make_dataset(place.folder / "data")
    words = ("evaluate", MODEL, "--data", "data", "--split", "all", "--report", "report.html", "--json")
    return refuse_connections_of(place, *words)


@attack("doctor", expected="no connection")
def doctor(place: Place) -> str:
    return refuse_connections_of(place, "doctor", "--json", works=False)


@attack("a playlist named as a video", expected="no connection")
def playlist(place: Place) -> str:
    url = "http://192.0.2.1/part.ts"  # an address for examples, of nobody
    (place.folder / "a.mp4").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{url}\n#EXT-X-ENDLIST\n"
    )
    return refuse_connections_of(place, "detect", MODEL, "a.mp4", "--json", works=False)


@attack("a stream's description (SDP) named as a video", expected="no connection")
def stream_description(place: Place) -> str:
    (place.folder / "a.mp4").write_text(
        "v=0\no=- 0 0 IN IP4 192.0.2.1\ns=x\nc=IN IP4 192.0.2.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
        "a=rtpmap:96 H264/90000\n"
    )
    return refuse_connections_of(place, "detect", MODEL, "a.mp4", "--json", works=False)


@attack("a model that is an address", expected="no connection")
def model_address(place: Place) -> str:
    (place.folder / "a.jpg").write_bytes(image_bytes())
    return refuse_connections_of(
        place, "detect", "http://192.0.2.1/model.safetensors", "a.jpg", "--json", works=False
    )
