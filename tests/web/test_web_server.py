"""The server of all pages: who is let in, what a request may hold, and that it starts and ends in order."""

import http.client
import json
import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vector_tl.errors import Refused, UserError
from vector_tl.web.access import guarded, these_names
from vector_tl.web.server import (
    SHARED,
    LocalServer,
    PageServer,
    Streams,
    bind,
    page_app,
    read_json,
    stream_part,
)
from vector_tl.web.wrong_tokens import AT_ONCE, MAX_WAITING, STEP_S

pytestmark = pytest.mark.fast


@pytest.fixture
def page(tmp_path):
    """A folder with a page of its own style."""
    (tmp_path / "own.html").write_text("<h1>hello</h1>")
    (tmp_path / "own.css").write_text("h1 { color: red; }")
    (tmp_path / "secret.txt").write_text("nobody asks for it")
    return tmp_path


def app(page):
    async def echo(request: Request) -> Response:
        return JSONResponse(await read_json(request, max_bytes=100))

    async def fails(request: Request) -> Response:
        if request.query_params.get("how") == "disk":
            raise PermissionError(13, "Permission denied", "/data/labels/a.txt")
        raise {"user": UserError("do this"), "refused": Refused(409, "not now")}.get(
            request.query_params.get("how", ""), ValueError("a secret")
        )

    routes = [Route("/echo", echo, methods=["POST"]), Route("/fails", fails)]
    return page_app(routes, page, "own.html")


@pytest.fixture
def local(page):
    server = LocalServer(app(page), "Open the address that was printed.")
    with server.in_thread("page"):
        yield server
    assert "page" not in [thread.name for thread in threading.enumerate()]


def ask(port, path, body=None, **headers):
    """Status, headers and content of one answer; headers that are None are left out."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    given = {"Content-Type": "application/json"} if body is not None else {}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(
        "GET" if body is None else "POST",
        path,
        body,
        {name: value for name, value in given.items() if value is not None},
    )
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content


def test_the_page_and_its_files(local):
    for name, kind, word in (
        ("", "text/html", b"hello"),
        ("own.css", "text/css", b"red"),
        ("base.css", "text/css", b"--accent"),
        ("dom.js", "text/javascript", b"export"),
    ):
        status, headers, content = ask(local.port, f"/{local.token}/{name}")
        assert status == 200 and headers["content-type"].startswith(kind) and word in content
        assert headers["referrer-policy"] == "no-referrer" and headers["cache-control"] == "no-store"
        assert "unsafe" not in headers["content-security-policy"] and "server" not in headers
    assert ask(local.port, f"/{local.token}")[0] == 307  # without its slash
    for name in ("secret.txt", "own.html", "nothing", "..", "%2e%2e/secret.txt"):
        assert ask(local.port, f"/{local.token}/{name}")[0] == 404


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/{token}/", {}, 200),
        ("/", {"Authorization": "Bearer {token}"}, 200),
        ("/?token={token}", {}, 200),
        ("/?token={token}", {"Authorization": "Bearer wrong"}, 401),
        ("/", {}, 401),
        ("/%ff/", {}, 401),
        ("/{token}x/", {}, 401),
        ("/{token}/", {"Host": "localhost:{port}"}, 200),
        ("/{token}/", {"Host": "evil.example"}, 403),
        ("/{token}/", {"Host": "127.0.0.1:1"}, 403),
        ("/{token}/", {"Origin": "http://127.0.0.1:{port}"}, 200),
        ("/{token}/", {"Origin": "http://evil.example"}, 403),
        ("/{token}/", {"Origin": "null"}, 403),
    ],
)
def test_who_is_let_in(local, path, headers, status):
    facts = {"token": local.token, "port": local.port}
    given = {name: value.format(**facts) for name, value in headers.items()}
    assert ask(local.port, path.format(**facts), **given)[0] == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "192.168.1.20:{port}"}, 200),
        ({"Host": "{name}:{port}", "Origin": "http://{name}:{port}"}, 200),
        ({"Host": "{name}.local:{port}"}, 200),
        ({"Host": "192.168.1.20"}, 403),
        ({"Host": "evil.example:{port}"}, 403),
        ({"Host": "192.168.1.20:{port}", "Origin": "http://192.168.1.21:{port}"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"path": "/"}, 401),
    ],
)
def test_who_is_let_in_where_others_reach_the_page(page, caplog, headers, status):
    server = LocalServer(app(page), "", host="0.0.0.0", deeds="see the page")
    assert "every computer" in caplog.text and "can see the page" in caplog.text
    facts = {"port": server.port, "name": socket.gethostname()}
    with server.in_thread("page"):
        assert ask(server.port, server.url.partition(str(server.port))[2])[0] == 200, "the address printed"
        given = {name: value.format(**facts) for name, value in headers.items()}
        assert ask(server.port, given.pop("path", f"/{server.token}/"), **given)[0] == status


def test_on_this_machine_alone_nothing_is_warned_of(page, caplog):
    for host in ("127.0.0.1", "localhost", "127.0.0.2"):
        LocalServer(app(page), "", host=host).socket.close()
    assert not caplog.text


def test_wrong_tokens_wait_and_right_ones_do_not(local):
    begun_s = time.monotonic()
    for number in range(AT_ONCE):
        assert ask(local.port, f"/wrong{number}/")[0] == 401
    assert time.monotonic() - begun_s < 12 * STEP_S, "a few mistakes cost nothing (15 steps otherwise)"
    with ThreadPoolExecutor(MAX_WAITING + 8) as pool:
        begun_s = time.monotonic()
        flood = [pool.submit(ask, local.port, "/wrong/") for _ in range(MAX_WAITING + 8)]
        wait(flood, timeout=0.3)
        assert ask(local.port, f"/{local.token}/")[0] == 200 and time.monotonic() - begun_s < 3
        assert not all(answer.done() for answer in flood)
        local.should_exit = True  # the rest would take half a minute
        statuses = [answer.result()[0] for answer in flood if answer.done()]
    assert set(statuses) <= {401, 429} and 429 in statuses


def test_refusals_are_for_who_reads_them(local):
    status, headers, content = ask(local.port, "/", Accept="text/html,*/*")
    assert status == 401 and headers["content-type"].startswith("text/plain") and b"was printed" in content
    assert "was printed" in json.loads(ask(local.port, "/")[2])["error"]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b'{"a": 1}', {}, 200),
        (b'{"a": 1}', {"Content_Type": "application/json; charset=utf-8"}, 200),
        (b'{"a": 1}', {"Content_Type": "text/plain"}, 415),
        (b"[]", {}, 400),
        (b"\xff", {}, 400),
        (b"[" * 90, {}, 400),
        (b"{" + b" " * 100 + b"}", {}, 413),
        (b"x" * 200_000, {}, 413),
    ],
)
def test_bodies(local, body, headers, status):
    answered, _, content = ask(local.port, f"/{local.token}/echo", body, **headers)
    assert answered == status
    assert json.loads(content) == {"a": 1} if status == 200 else json.loads(content)["error"]


def test_errors_are_json_and_hide_what_is_not_for_the_person(local, caplog):
    for how, status, said in (("user", 400, "do this"), ("refused", 409, "not now")):
        answered, _, content = ask(local.port, f"/{local.token}/fails?how={how}")
        assert (answered, json.loads(content)) == (status, {"error": said})
    with caplog.at_level(logging.ERROR, "vector_tl.web.server"):
        answered, headers, content = ask(local.port, f"/{local.token}/fails")
    assert answered == 500 and b"secret" not in content and "a secret" in caplog.text
    caplog.clear()
    answered, _, content = ask(local.port, f"/{local.token}/fails?how=disk")
    assert answered == 503 and b"/data/labels/a.txt cannot be used: Permission denied" in content
    assert "a.txt" in caplog.text and "Traceback" not in caplog.text
    assert headers["x-content-type-options"] == "nosniff"
    assert ask(local.port, f"/{local.token}/echo")[0] == 405


def test_a_page_for_others_checks_names_and_origin(page):
    check = these_names({"localhost"}, "https://page.example.org")
    server = PageServer(guarded(app(page), check, "same-origin"), bind())
    port = server.socket.getsockname()[1]
    with server.in_thread("page"):
        status, headers, _ = ask(port, "/")
        assert status == 200 and headers["referrer-policy"] == "same-origin"
        assert ask(port, "/", Host="192.168.1.20")[0] == ask(port, "/", Host="page.example.org")[0] == 200
        assert ask(port, "/", Host="evil.example")[0] == ask(port, "/", Host="a@127.0.0.1")[0] == 421
        ours, public = f"http://127.0.0.1:{port}", "https://page.example.org"
        for origin, status in ((ours, 200), (public, 200), (None, 403), ("null", 403), (ours + "0", 403)):
            assert ask(port, "/echo", b"{}", Origin=origin)[0] == status


def test_a_taken_port_names_the_option():
    with bind() as taken:
        taken.listen()
        with pytest.raises(UserError, match=r"Port \d+ of 127\.0\.0\.1.*--page-port"):
            bind(port=taken.getsockname()[1], option="--page-port")
    with pytest.raises(UserError, match="no.such.host"):
        bind("no.such.host.invalid")


def test_connections_wait_for_the_server(page):
    server = LocalServer(app(page), "")
    with socket.create_connection(("127.0.0.1", server.port)) as early:
        early.sendall(f"GET /{server.token}/ HTTP/1.0\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
        with server.in_thread("page"):
            assert b"200" in early.recv(100)


def test_parts_of_a_stream_and_how_many_at_once():
    part = stream_part({"a": 1}, b"data")
    assert part == b"\x00\x00\x00\x08\x00\x00\x00\x04" + b'{"a": 1}data'
    with pytest.raises(ValueError):
        stream_part({"a": float("nan")})

    async def parts():
        yield part

    with pytest.raises(Refused, match="0 pages"):
        Streams(0).response(parts())


def test_shared_files_are_those_of_the_package():
    names = {path.name for path in SHARED.iterdir()}
    assert {"base.css", "dom.js", "ask.js", "keys.js", "boxes.js", "stream.js"} <= names
