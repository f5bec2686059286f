"""Streams: frames until somebody stops it, across breaks; served on this machine alone."""

import time
from types import SimpleNamespace

import cv2
import pytest
from clips import grey, write_film
from streams import RATE, Server, broadcast

from lib.utils.errors import UserError
from lib.utils.media import LiveVideo, Stream, live


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.setattr(live, "PAUSE", 0.05)
    monkeypatch.setattr(live, "PATIENCE", 1.0)
    monkeypatch.setattr(live, "OPEN_SECONDS", 1)
    servers = []

    def start(*answers):
        servers.append(Server(answers))
        return Stream(servers[-1].address)

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def part(tmp_path):
    return lambda start: broadcast(tmp_path / "part.ts", start)


def read(video):
    seconds, means = [], []
    while (picture := video.read()) is not None:
        seconds.append(video.seconds)
        means.append(round(picture.mean() / 20))
    video.close()
    return seconds, means


def test_a_stream_that_breaks_off_goes_on_and_its_clock_too(serve, part):
    video = LiveVideo(serve(part(5000.0), None, part(3.0)))
    assert (video.size, video.count, video.live, video.path.name) == ((64, 64), 0, True, video.stream.name)
    seconds, means = read(video)
    assert means == [*range(10), *range(10)] and video.position == 20
    assert seconds[:10] == pytest.approx([number / RATE for number in range(10)], abs=1e-3)
    assert all(later > earlier for earlier, later in zip(seconds, seconds[1:], strict=False))
    assert seconds[10] < 3 and seconds[19] - seconds[10] == pytest.approx(0.9, abs=1e-3)
    assert video.notes() == ["1 break, after which it went on"] and video.missing() == 0
    assert video.problem.endswith("the stream broke off and was not there again within 1 seconds")


def test_nobody_waits_for_a_stream_that_is_to_stop(serve, part, monkeypatch):
    monkeypatch.setattr(live, "PATIENCE", 60.0)
    stop = SimpleNamespace(asked=False)
    video = LiveVideo(serve(part(0.0)), lambda: stop.asked)
    for _ in range(10):
        assert video.read() is not None
    stop.asked, began = True, time.monotonic()
    assert video.read() is video.read() is None and video.problem == "" and time.monotonic() - began < 30
    video.close()


def test_a_film_of_known_length_on_a_server_ends_at_its_end(serve, tmp_path):
    film = write_film(tmp_path / "a.mkv").read_bytes()
    video = LiveVideo(serve(film))
    assert read(video)[1] == list(range(5)) and (video.problem, video.breaks) == ("", 0)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"<html></html>" * 99, "^cannot open the stream http"), (None, "^cannot open the stream http"),
        (cv2.imencode(".png", grey(3))[1].tobytes(), "^the stream http.* has no video"),
    ],
    ids=["a page", "nothing", "a picture"],
)
def test_an_address_without_a_film_is_one_line(serve, capfd, answer, said):
    with pytest.raises(UserError, match=said):
        LiveVideo(serve(answer))
    assert capfd.readouterr() == ("", "")


def test_a_password_is_not_repeated():
    with pytest.raises(UserError) as caught:
        LiveVideo(Stream("rtsp://me:secret@127.0.0.1:1/x"))
    assert "127.0.0.1:1/x" in str(caught.value) and "secret" not in str(caught.value)


def test_a_camera_that_is_not_there_is_one_line():
    with pytest.raises(UserError, match="cannot open the stream 98|cameras are read on"):
        LiveVideo(Stream("98"))
