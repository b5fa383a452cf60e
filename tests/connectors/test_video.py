"""Videos: what their bytes are, and that a platform gets none that it would refuse."""

import base64
import zlib
from dataclasses import replace
from datetime import date

import pytest

from connectors.base import Capabilities, ConnectorError, Media, Post, RejectedError, Repeat, Video
from connectors.contract import ContractAttempt, Platform
from connectors.linkedin import LinkedIn
from connectors.media import Film, film, fit, misfits
from connectors.threads import Threads
from connectors.x import X
from tests.connectors.conftest import box, clip
from tests.connectors.conftest import platform as platform

ANY = Capabilities(
    text_limit=None, source="https://x.example", checked=date(2026, 8, 22), repeat=Repeat.NOTHING
)
TAKES = Video(frozenset({"video/mp4"}), 1_000_000, (3.0, 60.0), (0.5, 1.91))
SHORT = replace(ANY, video=TAKES)
# What FFmpeg 7 (libavformat, through PyAV) wrote: three pictures of 48 x 32 in 0.3 seconds as MP4, and one
# of 32 x 48 in a second as QuickTime.
MP4 = (
    "c-nnay-OTH6n}GfUQ$>Xa)reOR#dQ1<1HdW8b!e?0zttPAxQRaW^r-HJ$A;0Xmf>y7XAx1R_Qd7YqhZQPp}ef(x(>lo4H#YF"
    "VV-meIN5a=6x&?RYU!~6{$oL706JaFI%%UB6=OBLVzwy9%v$VPD8IiIzyKyrM=`%UL1AqiOxnHfpu1IS1zFZVEDDmoG-4*B*"
    "_pfmf0q!Cs6zi+eu<%&Lgm=R{in<y$A)IJ)H(y;J@lEo3r?DG~}h1^ZYmO4A8UUnBZE0Rz<Azqem~U^<{q~j{@T%d4KH_z(H"
    "ESvcl9RkJJ1ni@0ztKSNIH!8VVDv0=wD+77`~GHHXl&m803yDCpb=#(+Ilg3`}fg4IUV(>RgEAH4_WBA!KtuTdqR0pj;Ytaw"
    "G4-fc$6N)Q4>~_2T32r6OMemI@Dchb7K=U3EPtEIo9lq@bXC7T09nd=4FIAQx{`?qZ%{hPCpP#PH_+|L8g6Tp-r@i)<^UWAm"
    "+KwiFC&phgd<7M|dV^Kynti%rk9xS<b@$bD*v_qsh}TRUUo-l~4%cSnU!<_qz=%6utV9~LTCv-zsi?a{<3Ds_0=~m<7vxPw-"
    "686(`KIo_1^R(w"
)
MOV = (
    "c-nnYJ5K^Z5S|rO5;4(83`UAGP!V5TjIqRM2!%!(tt>p*BM@#qyj_l{1(aIY+FRNgjkLyu_$MrFO#BHJIJ<{%pfcIndF;$Lv"
    "oin?DTuSmsn9fl5%460Y9(r-)EPAd0C|L|aTLwj(P;dwKF_`YZsWlV`<*@40bY7)AjE9j#Y~I2MGAcs_)ttho*t3@s6jgoLu"
    "mvL7miUz{ZN!u&A@LoS$lY$KkLd_tSU2MQo&KiOpA+NMh92rl21lUhRkAg@b78G^|msWiqvwX!itvTdXw%__y8St);OV-i9z"
    "Isl}-xikGM>M`rBOm0ip<0bu7&fG_h?6ql*Ix>fywwV-|d04tMh8T9RBGTd2Qs!Kp8%$tr8Ee@vOoZcfc!vW6qdqMH3@u)it"
    "VmV-DlIpu0OjYeY+(}E~BwP_C|C+|`8te|l(yL-Bt@xX}&t?NseB*C%B7Mc$`hMQm4m-UV1)T%y)IYhP=<wC9Orzg@`Y7Bpu"
    "@Ar2(f^X-Yw`9+kw|(&m<b^5~a@BKpyyn2<ehXVDU<)Z-w(t!mpLDS"
)


def real(packed: str) -> Media:
    return Media("v.mp4", "video/mp4", "it turns", zlib.decompress(base64.b85decode(packed)))


# ---- what a video is --------------------------------------------------------------------------


def test_a_real_file_says_how_long_it_is_and_in_which_shape() -> None:
    assert film(real(MP4)) == Film("video/mp4", 0.3, 48, 32, 10.0)
    assert film(real(MOV)) == Film("video/quicktime", 1.0, 32, 48, 1.0)


def test_a_video_is_as_it_is_shown_and_not_as_it_was_held() -> None:
    assert film(clip(2.5, (1920, 1080))) == Film("video/mp4", 2.5, 1920, 1080)
    assert film(clip(2.5, (1920, 1080), turned=True)) == Film("video/mp4", 2.5, 1080, 1920)


def test_lengths_of_64_bits_and_boxes_that_reach_to_the_end_are_read() -> None:
    parts = clip().data.partition(box("mdat", bytes(0))[4:])[0][:-4]  # all but the last box
    whole = int.to_bytes(1_000, 4) + int.to_bytes(90_000, 8)
    header = box("mvhd", b"\1", bytes(19), whole, bytes(80))
    track = parts[parts.index(b"trak") - 4 :]
    data = box("ftyp", b"isom") + box("moov", header, track) + bytes(4) + b"mdat" + b"0" * 9
    assert film(replace(clip(), data=data)) == Film("video/mp4", 90.0, 640, 480)
    long = int.to_bytes(1, 4) + b"mdat" + int.to_bytes(20, 8) + b"0000"
    assert film(replace(clip(), data=parts + long)).seconds == 10.0


@pytest.mark.parametrize(("told", "seconds"), [(5_000, 5.0), (0, None)])
def test_a_video_in_fragments_says_its_length_elsewhere_or_not_at_all(
    told: int, seconds: float | None
) -> None:
    moov = clip(0).data.partition(b"moov")[2].partition(b"mdat")[0][:-4]
    more = box("mvex", box("mehd", bytes(4), int.to_bytes(told, 4))) if told else box("mvex")
    data = box("ftyp", b"isom") + box("moov", moov, more)
    assert film(replace(clip(), data=data)).seconds == seconds
    assert misfits(replace(clip(), data=data), SHORT) == []  # what is not known is the platform's to judge


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"mp4",
        clip().data[:-1],
        clip().data[:60],
        box("ftyp", b"isom"),
        box("ftyp", b"isom") + box("moov"),
        clip().data.replace(b"vide", b"soun"),
        clip(size=(0, 0)).data,
        box("ftyp", b"isom") + b"\0\0\0\7moov",
    ],
    ids=["nothing", "words", "its end is missing", "half", "no moov", "empty", "sound", "no size", "a lie"],
)
def test_what_is_no_whole_video_is_refused(data: bytes) -> None:
    broken = replace(clip(), data=data)
    with pytest.raises(RejectedError, match="not a whole video that can be read"):
        film(broken)
    assert misfits(broken, SHORT) == ["video v.mp4 is not a whole video that can be read"]
    assert misfits(broken, ANY) == []  # nobody asks


def test_how_many_pictures_a_second_are_shown_is_read_where_a_video_says_so() -> None:
    assert film(clip(2, rate=240)).frames == 240.0
    assert film(clip(2)).frames is None
    cut = clip(2, rate=240).data.replace(b"\0\0\0\x01\0\0\x01\xe0", b"\0\0\0\x09\0\0\x01\xe0")
    assert film(replace(clip(), data=cut)).frames == 240.0  # a table that says it is longer than it is
    mad = clip(2, rate=240).data.replace(b"stbl", b"STBL")
    assert film(replace(clip(), data=mad)).frames is None


# ---- what a platform takes --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("media", "said"),
    [
        (clip(60), []),
        (clip(60.5), ["video v.mp4 is 60.5 seconds long; this channel takes 3 to 60"]),
        (clip(3), []),
        (clip(2.9), ["video v.mp4 is 2.9 seconds long; this channel takes 3 to 60"]),
        (clip(9, (960, 1_920)), []),
        (
            clip(9, (720, 1_600)),
            ["video v.mp4 is 720 x 1600; this channel takes a width of 0.5 to 1.91 times the height"],
        ),
        (clip(9, (1_920, 720)), ["video v.mp4 is 1920 x 720; this channel takes a width of 0.5 to 1.91 times "
                                 "the height"]),
        (clip(9, (191, 100)), []),
        (clip(brand="qt  "), ["video v.mp4 says it is video/mp4, but its bytes are video/quicktime"]),
    ],
)  # fmt: skip
def test_length_and_shape_are_held_against_what_a_platform_takes(media: Media, said: list[str]) -> None:
    assert misfits(media, SHORT) == said
    if said:
        with pytest.raises(RejectedError, match=r"this channel takes|its bytes are"):
            fit(media, SHORT)
    else:
        assert fit(media, SHORT) is media


def test_only_what_a_platform_says_something_about_is_looked_at() -> None:
    assert misfits(clip(600), replace(ANY, video=replace(TAKES, seconds=None))) == []
    assert misfits(clip(6, (10, 900)), replace(ANY, video=replace(TAKES, aspect=None))) == []
    assert misfits(replace(clip(), type="video/webm", data=b"webm"), SHORT) == []  # made of other boxes


DENSE = replace(ANY, video=Video(frozenset({"video/mp4"}), 1_000_000, pixels=8_294_400, frames=120))


@pytest.mark.parametrize(
    ("media", "said"),
    [
        (clip(2, (3_840, 2_160), rate=120), []),
        (
            clip(2, (3_840, 2_162)),
            ["video v.mp4 is 3840 x 2162; this channel takes at most 8294400 pixels"],
        ),
        (
            clip(2, rate=121),
            ["video v.mp4 shows 121 pictures a second; this channel takes at most 120"],
        ),
    ],
)
def test_a_video_is_held_against_how_much_of_it_there_may_be_to_see(media: Media, said: list[str]) -> None:
    assert misfits(media, DENSE) == said


@pytest.mark.parametrize(
    ("kind", "settings", "media", "said"),
    [
        (X, {}, clip(140.5), "140.5 seconds long; this channel takes 0.5 to 140"),
        (X, {}, clip(9, (100, 400)), "100 x 400; this channel takes a width of 0.333 to 3 times"),
        (LinkedIn, {"organization": "7"}, clip(2), "2 seconds long; this channel takes 3 to 1800"),
        (Threads, {}, replace(clip(301), url="https://x.example/v.mp4"), "301 seconds long; this channel"),
    ],
)
def test_a_video_that_a_platform_refuses_is_refused_before_anybody_is_called(
    platform: Platform, kind: type[X], settings: dict[str, str], media: Media, said: str
) -> None:
    told = {"api": platform.url, "token": "t0ken-t0ken"} | settings
    connector = kind(kind.Settings.model_validate(told), {}, 5.0)
    attempt = ContractAttempt()
    with pytest.raises(ConnectorError, match=said) as caught:
        connector.publish(Post("Look", media=(media,)), attempt)
    connector.close()
    assert isinstance(caught.value, RejectedError)
    assert platform.asked == []
