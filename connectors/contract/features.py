"""What a connector declares becomes tests that it works; what it does not declare, that it is refused."""

import base64
import io
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import ClassVar
from urllib.parse import unquote

import pytest
from PIL import Image

from connectors.base import Capabilities, Connector, Media, Post, RejectedError, TemporaryError
from connectors.contract.attempt import ContractAttempt
from connectors.contract.platform import Answer, Platform, Route

TAKEN_AT = "taken-at-a-place-nobody-should-see"  # what the picture of these tests tells beside its pixels


class FeatureContract:
    """What is declared works, what is not declared is refused before any call; part of `ConnectorContract`.

    A connector that declares replies, pictures or deletion needs the data for them; the tests say which.
    """

    connector: ClassVar[type[Connector]]
    commit: ClassVar[str]
    accepted: ClassVar[Answer]
    post: ClassVar[Post]
    published: ClassVar[str]
    features: ClassVar[Mapping[str, Route]] = {}  # what replies and posts with pictures call besides
    parent: ClassVar[str] = ""  # the id of a post that is answered, nothing else's; for `threads`
    replying: ClassVar[str] = ""  # the call that publishes a reply, where it is not `commit`
    picturing: ClassVar[tuple[str, str]] = ("", "")  # those that publish one picture, and several, likewise
    deletion: ClassVar[str] = ""  # the call that deletes `published`; for `deletes`
    deleted: ClassVar[Answer] = Answer({})
    gone: ClassVar[Answer] = Answer(
        {"error": "not found"}, 404
    )  # what `deletion` is answered where it is gone

    # ---- what is declared ---------------------------------------------------------------------

    def test_a_reply_names_the_post_it_answers(
        self, make: Callable[..., Connector], platform: Platform
    ) -> None:
        connector = make()
        if not connector.limits().threads:
            return
        assert self.parent, "it declares `threads`: say in `parent` the id of a post that is answered"
        commit = self._allow(platform, self.replying)
        attempt = ContractAttempt()
        connector.publish(replace(self.post, reply_to=self.parent), attempt)
        assert len(platform.calls(commit)) == 1
        assert attempt.left == 1
        assert _said(platform, self.parent), f"nothing that was sent names {self.parent}"

    @pytest.mark.parametrize("many", [False, True], ids=["one", "several"])
    def test_pictures_go_out_without_what_a_camera_wrote_into_them(
        self, make: Callable[..., Connector], platform: Platform, many: bool
    ) -> None:
        connector = make()
        limit = connector.limits().media_limit
        if not limit:
            return
        commit = self._allow(platform, self.picturing[many])
        pictures = tuple(_photo(number) for number in range(limit if many else 1))
        attempt = ContractAttempt()
        connector.publish(replace(self.post, media=pictures), attempt)
        assert len(platform.calls(commit)) == 1
        assert attempt.left == 1
        assert _pictures(platform, pictures) >= len(pictures), "it did not send all the pictures"
        assert not _said(platform, TAKEN_AT), "it sent EXIF: call connectors.media.fit before an upload"

    def test_a_post_is_deleted_and_one_that_is_gone_is_fine(
        self, make: Callable[..., Connector], platform: Platform
    ) -> None:
        connector = make()
        if not connector.limits().deletes:
            return
        assert self.deletion, "it declares `deletes`: say in `deletion` the call that deletes `published`"
        id = connector.publish(self.post, ContractAttempt()).id
        for answer in (self.deleted, self.gone):
            platform.routes[self.deletion] = answer
            platform.asked.clear()
            connector.delete(id)
            assert platform.calls(self.deletion)
        platform.routes[self.deletion] = Answer(status=503)
        with pytest.raises(TemporaryError):
            connector.delete(id)

    def _allow(self, platform: Platform, commit: str) -> str:
        """Let the platform take a post of another kind; return the call that publishes it."""
        platform.routes |= {commit or self.commit: self.accepted, **self.features}
        platform.asked.clear()
        return commit or self.commit

    # ---- what is not --------------------------------------------------------------------------

    def test_what_it_does_not_declare_is_refused_before_anybody_is_called(
        self, make: Callable[..., Connector], platform: Platform
    ) -> None:
        for what, post in self.too_much().items():
            attempt = ContractAttempt()
            try:
                make().publish(post, attempt)
            except RejectedError:
                assert platform.asked == [], f"{what}: the platform was called before it was refused"
                assert attempt.journal == [], f"{what}: something was kept before it was refused"
            else:
                pytest.fail(f"{what}: it was accepted; call self.check(post) before anything else")

    def too_much(self) -> dict[str, Post]:
        """Return posts that no account of this connector takes, by what is wrong with them."""
        return dict(_too_much(self.connector.capabilities, self.post))


def _too_much(facts: Capabilities, post: Post) -> Iterator[tuple[str, Post]]:
    dot = Media("dot.png", "image/png", "a dot", PIXEL)
    yield "nothing at all", Post("", to=post.to)
    yield "a picture without alt text", replace(post, media=(replace(dot, alt=""),))
    yield "too many pictures", replace(post, media=(dot,) * (facts.media_limit + 1))
    if facts.text_limit is not None:
        yield "a text that is too long", replace(post, text="x" * (facts.text_limit + 1))
    if not facts.threads:
        yield "a reply", replace(post, reply_to="1")
    if facts.video is None:
        yield "a video", replace(post, media=(Media("a.mp4", "video/mp4", "a film", b"film"),))
    if facts.video is not None and facts.video.seconds:
        yield "a video that is too long", replace(post, media=(_film(facts.video.seconds[1] + 1),))
    if facts.alt_limit is not None:
        yield (
            "an alt text that is too long",
            replace(post, media=(replace(dot, alt="x" * (facts.alt_limit + 1)),)),
        )
    if facts.media_limit and not facts.media_fetched:
        yield "a picture that is none", replace(post, media=(replace(dot, data=b"no picture"),))
    if facts.subject:
        yield "no subject", replace(post, subject="")


PIXEL = (  # a PNG of one grey dot
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU"
    b"\x00\x00\x00\nIDATx\x9cch\x00\x00\x00\x82\x00\x81w\xcdr\xb6\x00\x00\x00\x00IEND\xaeB`\x82"
)


def _photo(number: int) -> Media:
    """Make a photo as a camera does: a JPEG that tells more than it shows."""
    exif = Image.Exif()
    exif[0x010E] = TAKEN_AT  # ImageDescription: https://exiftool.org/TagNames/EXIF.html
    out = io.BytesIO()
    Image.new("RGB", (640, 640), (40 * number % 256, 128, 128)).save(out, "JPEG", exif=exif)
    name = f"photo-{number}.jpg"
    return Media(name, "image/jpeg", f"photo {number}", out.getvalue(), f"https://brand.example/{name}")


def _film(seconds: float) -> Media:
    """Write the boxes that say how long an MP4 is, and nothing to be seen (ISO/IEC 14496-12)."""
    side = 640 << 16
    length = struct.pack(">5I80x", 0, 0, 0, 1_000, round(seconds * 1_000))
    header = struct.pack(">40x9i2i", *(n << 16 for n in (1, 0, 0, 0, 1, 0, 0, 0, 1)), side, side)
    track = _box("trak", _box("tkhd", header) + _box("mdia", _box("hdlr", bytes(8) + b"vide")))
    data = _box("ftyp", b"isom" + bytes(4)) + _box("moov", _box("mvhd", length) + track)
    return Media("film.mp4", "video/mp4", "a film", data, "https://brand.example/film.mp4")


def _box(kind: str, inside: bytes) -> bytes:
    return struct.pack(">I4s", len(inside) + 8, kind.encode()) + inside


def _pictures(platform: Platform, given: tuple[Media, ...]) -> int:
    """Count the pictures that went out: as bytes, as text of base64, or by their address."""
    starts = (b"\xff\xd8\xff", b"\x89PNG\r\n", base64.b64encode(b"\xff\xd8\xff"))
    inside = sum(asked.body.count(start) for asked in platform.asked for start in starts)
    return max(inside, sum(_said(platform, each.url) for each in given))


def _said(platform: Platform, words: str) -> bool:
    """Say whether words went out in any call, however they were written."""
    plain, escaped = words.encode(), words.replace("/", r"\/").encode()
    forms = [plain, escaped, *_as_base64(plain)]
    for asked in platform.asked:
        body = asked.body + unquote(asked.body.decode("latin-1")).encode()
        if any(form in body for form in forms) or words in unquote(f"{asked.path}?{asked.query}"):
            return True
    return False


def _as_base64(words: bytes) -> Iterator[bytes]:
    """Yield how words look inside a longer text of base64: three bytes are four letters, so in three ways."""
    for before in range(3):
        written = base64.b64encode(b"x" * before + words)
        yield written[4 if before else 0 : -4]
