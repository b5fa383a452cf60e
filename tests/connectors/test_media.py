"""Pictures: what their bytes are, and what a platform gets of them."""

import io
from dataclasses import replace
from datetime import date

import pytest
from PIL import Image, ImageCms

from connectors.base import Capabilities, Media, RejectedError, Repeat
from connectors.media import MOST_PIXELS, Facts, facts, fit, jpeg, misfits, problems
from tests.connectors.conftest import picture

ANY = Capabilities(
    text_limit=None, source="https://x.example", checked=date(2026, 8, 22), repeat=Repeat.NOTHING
)
JPEG = replace(ANY, media_types=frozenset({"image/jpeg"}))
PNG = replace(ANY, media_types=frozenset({"image/png"}))


def made(image: Image.Image, kind: str, **options: object) -> Media:
    """Save a picture as a file."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return Media(f"card.{kind.lower()}", f"image/{kind.lower()}", "a card", out.getvalue())


def opened(media: Media) -> Image.Image:
    """Look at a file."""
    image = Image.open(io.BytesIO(media.data))
    image.load()
    return image


def noise(size: tuple[int, int]) -> Image.Image:
    """Draw what cannot be packed well, the same each time."""
    return Image.effect_mandelbrot(size, (-2.0, -1.5, 1.0, 1.5), 100).convert("RGB").rotate(7)


def exif() -> Image.Exif:
    """Make what a phone writes: turned by a quarter, with the maker's name and a place."""
    told = Image.Exif()
    told[0x0112], told[0x010F] = 6, "Phone Maker"
    told.get_ifd(0x8825)[1] = "N"
    return told


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_picture_is_known_by_its_bytes(kind: str) -> None:
    media = picture(kind, (40, 30))
    assert facts(media) == Facts(f"image/{kind.lower()}", 40, 30, len(media.data), False)
    assert problems(media) == []


def test_a_type_that_is_not_that_of_the_bytes_is_a_problem() -> None:
    media = replace(picture("PNG"), type="image/jpeg")
    assert problems(media) == [f"picture {media.name} says it is image/jpeg, but its bytes are image/png"]
    with pytest.raises(RejectedError, match="its bytes are image/png"):
        fit(media, ANY)


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\x89PNG\r\n\x1a\n"]
)
def test_bytes_that_are_no_picture_are_refused(data: bytes) -> None:
    media = Media("a.png", "image/png", "a dot", data)
    assert len(problems(media)) == 1
    with pytest.raises(RejectedError):
        facts(media)


def test_half_a_picture_is_refused() -> None:
    whole = made(noise((200, 200)), "PNG")
    with pytest.raises(RejectedError, match="not a picture that can be read"):
        fit(replace(whole, data=whole.data[: len(whole.data) // 2]), ANY)


def test_a_small_file_with_far_too_many_pixels_is_refused() -> None:
    bomb = made(Image.new("1", (20_000, 20_000)), "PNG")
    assert len(bomb.data) < 100_000
    with pytest.raises(RejectedError, match="too many pixels"):
        fit(bomb, ANY)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_picture_that_fits_stays_as_it_is(kind: str) -> None:
    media = picture(kind)
    assert fit(media, replace(ANY, media_bytes=len(media.data), media_types=frozenset({media.type}))) is media


def test_a_video_is_not_looked_into() -> None:
    video = Media("a.mp4", "video/mp4", "a film", b"not looked at")
    assert fit(video, ANY) is video
    assert problems(video) == []


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_where_and_with_what_a_picture_was_taken_is_not_told(kind: str) -> None:
    media = made(noise((60, 40)), kind, exif=exif())
    fitted = fit(media, ANY)
    assert dict(opened(media).getexif()) != {}
    assert dict(opened(fitted).getexif()) == {}
    assert b"Phone Maker" in media.data
    assert b"Phone Maker" not in fitted.data


def test_a_picture_that_was_held_sideways_is_turned_upright() -> None:
    fitted = fit(made(noise((60, 40)), "JPEG", exif=exif()), ANY)
    assert (facts(fitted).width, facts(fitted).height) == (40, 60)


def test_a_comment_in_a_picture_is_not_told() -> None:
    media = made(noise((60, 40)), "JPEG", comment=b"made by Jane Doe")
    assert b"Jane Doe" in media.data
    assert b"Jane Doe" not in fit(media, ANY).data


def test_text_in_a_png_is_not_told() -> None:
    from PIL.PngImagePlugin import PngInfo

    told = PngInfo()
    told.add_text("Author", "Jane Doe")
    media = made(noise((60, 40)), "PNG", pnginfo=told)
    assert b"Jane Doe" in media.data
    assert b"Jane Doe" not in fit(media, ANY).data


def test_the_colours_of_a_picture_keep_their_meaning() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    media = made(noise((60, 40)), "JPEG", icc_profile=profile, comment=b"x")
    assert opened(fit(media, ANY)).info["icc_profile"] == profile


@pytest.mark.parametrize("limits", [ANY, JPEG, PNG], ids=["any", "jpeg", "png"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_that_is_too_large_becomes_small_enough(kind: str, limits: Capabilities) -> None:
    media = made(noise((600, 400)), kind)
    most = len(media.data) // 3
    fitted = fit(media, replace(limits, media_bytes=most))
    assert len(fitted.data) <= most
    assert problems(fitted) == []
    assert not limits.media_types or fitted.type in limits.media_types
    assert abs(facts(fitted).width / facts(fitted).height - 1.5) < 0.1
    assert (fitted.name, fitted.alt) == (media.name, media.alt)


def test_a_picture_of_a_type_that_is_not_taken_becomes_one_that_is() -> None:
    assert fit(picture("WEBP"), PNG).type == "image/png"
    assert fit(picture("PNG"), JPEG).type == "image/jpeg"
    with pytest.raises(RejectedError, match="does not take"):
        fit(picture("PNG"), replace(ANY, media_types=frozenset({"video/mp4"})))


def test_what_is_see_through_becomes_white_where_there_is_no_see_through() -> None:
    fitted = fit(made(Image.new("RGBA", (20, 20), (255, 0, 0, 0)), "PNG"), JPEG)
    assert opened(fitted).convert("RGB").getpixel((10, 10)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "RGB", "I;16"])
def test_every_kind_of_pixels_can_be_made_smaller(mode: str) -> None:
    media = made(Image.new(mode, (300, 200)), "PNG")
    assert problems(fit(media, JPEG)) == []


def test_what_cannot_be_made_small_enough_is_refused() -> None:
    with pytest.raises(RejectedError, match="small enough"):
        fit(made(noise((100, 100)), "PNG"), replace(ANY, media_bytes=20))


def test_a_picture_with_more_pixels_than_any_platform_takes_becomes_smaller() -> None:
    media = made(Image.new("L", (8_000, 5_000)), "PNG")
    found = facts(fit(media, ANY))
    assert found.width * found.height <= MOST_PIXELS


def test_the_same_picture_is_fitted_to_the_same_bytes() -> None:
    media = made(noise((600, 400)), "PNG", exif=exif())
    limits = replace(ANY, media_bytes=len(media.data) // 3)
    assert fit(media, limits) == fit(media, limits)


def moving(kind: str) -> Media:
    """Draw a picture that moves."""
    frames = [Image.new("RGB", (30, 30), colour) for colour in ("red", "green", "blue")]
    return made(frames[0], kind, save_all=True, append_images=frames[1:])


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_a_picture_that_moves_stays_as_it_is_or_is_refused(kind: str) -> None:
    media = moving(kind)
    assert facts(media).moving
    assert fit(media, ANY) is media
    for limits in (PNG, replace(ANY, media_bytes=10)):
        with pytest.raises(RejectedError, match="moves"):
            fit(media, limits)


def test_two_pictures_in_one_file_of_a_phone_are_one_jpeg() -> None:
    both = made(noise((60, 40)), "MPO", save_all=True, append_images=[noise((30, 20))])
    media = replace(both, type="image/jpeg")
    assert facts(media).type == "image/jpeg"
    assert not facts(media).moving
    assert opened(fit(media, ANY)).format == "JPEG"


# ---- shape and size ---------------------------------------------------------------------------

SQUARE = replace(JPEG, media_sides=(50, 200), media_aspect=(0.8, 1.91), media_pixels=30_000)


@pytest.mark.parametrize("size", [(500, 100), (100, 140), (192, 100)])
def test_a_picture_of_another_shape_is_refused_and_never_cut(size: tuple[int, int]) -> None:
    media = picture("JPEG", size)
    (sentence,) = misfits(media, SQUARE)[:1]
    assert f"{size[0]} x {size[1]}" in sentence
    with pytest.raises(RejectedError, match="cut it, or choose another"):
        fit(media, SQUARE)


@pytest.mark.parametrize("size", [(80, 100), (191, 100), (100, 100)])
def test_a_picture_at_the_edge_of_a_shape_is_taken_as_it_is(size: tuple[int, int]) -> None:
    media = picture("JPEG", size)
    assert misfits(media, SQUARE) == []
    assert fit(media, SQUARE) is media


def test_a_picture_that_is_too_small_is_refused_and_never_blown_up() -> None:
    media = picture("JPEG", (49, 60))
    assert "too small" in misfits(media, SQUARE)[0]
    with pytest.raises(RejectedError, match="no side may be below 50 pixels"):
        fit(media, SQUARE)


def test_a_picture_that_is_too_large_is_no_misfit_but_made_smaller_in_its_shape() -> None:
    media = picture("PNG", (900, 600))
    assert misfits(media, SQUARE) == []
    found = facts(fit(media, SQUARE))
    assert (found.type, found.width, found.height) == ("image/jpeg", 200, 133)
    dense = facts(fit(media, replace(SQUARE, media_pixels=15_000)))
    assert dense.width * dense.height <= 15_000


def test_the_shape_is_that_which_people_see() -> None:
    lying = made(Image.new("RGB", (120, 100)), "JPEG", exif=exif())  # upright it is 100 x 120
    assert (facts(lying).width, facts(lying).height) == (100, 120)
    high = replace(SQUARE, media_aspect=(0.9, 1.91))
    assert "100 x 120" in misfits(lying, high)[0]
    assert misfits(lying, SQUARE) == []


def test_what_is_no_picture_is_a_misfit_and_a_video_is_none() -> None:
    assert "not a picture" in misfits(Media("a.png", "image/png", "a", b"junk"), SQUARE)[0]
    assert misfits(Media("a.mp4", "video/mp4", "a", b"junk"), SQUARE) == []
    assert misfits(Media("a.png", "image/png", "a", b"junk"), JPEG) == []  # which asks for no shape


# ---- what may not be made anew ----------------------------------------------------------------


def as_given(image: Image.Image, kind: str, **options: object) -> Media:
    """Save a picture that its pack does not let anybody make anew."""
    return replace(made(image, kind, **options), fit=False)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (replace(ANY, media_bytes=100), "bytes, the limit is 100"),
        (replace(ANY, media_pixels=2_000), "is 60 x 40; this channel takes at most 2000 pixels"),
        (replace(ANY, media_sides=(1, 50)), "is 60 x 40; this channel takes sides of at most 50 pixels"),
        (JPEG, "is image/png, which this channel does not take"),
    ],
    ids=["bytes", "pixels", "sides", "type"],
)
def test_a_picture_that_may_not_be_made_anew_is_refused_with_the_limit_and_others_are_fitted(
    limits: Capabilities, said: str
) -> None:
    media = as_given(noise((60, 40)), "PNG")
    with pytest.raises(RejectedError, match=f"{said}, and its pack says `fit: no`"):
        fit(media, limits)
    if limits.media_bytes is None:
        assert fit(replace(media, fit=True), limits).data != media.data


def test_what_no_other_check_tells_of_a_picture_that_may_not_be_made_anew_is_told_before_it_leaves() -> None:
    media = as_given(noise((60, 40)), "PNG")
    limits = replace(ANY, media_pixels=2_000, media_sides=(1, 50))
    said = "picture card.png is 60 x 40; this channel takes {}, and its pack says `fit: no`"
    both = [said.format("at most 2000 pixels"), said.format("sides of at most 50 pixels")]
    assert misfits(media, limits) == both
    assert misfits(replace(media, fit=True), limits) == []
    assert misfits(media, ANY) == []


def told(turn: int) -> Image.Exif:
    """Make what a camera writes into a picture that is turned so."""
    found = exif()
    found[0x0112] = turn
    return found


@pytest.mark.parametrize("may", [True, False])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 100}], ids=str)
def test_exif_goes_without_a_pixel_being_encoded_anew(may: bool, options: dict[str, object]) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image, more = noise((61, 43)), {"icc_profile": profile, "comment": b"by Jane"}
    media = replace(made(image, "JPEG", exif=told(1), **more, **options), fit=may)
    behind = replace(media, data=media.data + b"a film that a phone put behind it")
    for each in (media, behind):
        bare = fit(each, ANY)
        assert opened(bare).tobytes() == opened(media).tobytes()
        assert opened(bare).info["icc_profile"] == profile
        assert dict(opened(bare).getexif()) == {}
        assert not [word for word in (b"Exif", b"Phone Maker", b"Jane", b"film") if word in bare.data]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_that_may_not_be_made_anew_tells_nothing_all_the_same_and_stands_upright(kind: str) -> None:
    media = as_given(noise((60, 40)), kind, exif=told(6))
    bare = fit(media, ANY)
    assert opened(bare).size == (40, 60)
    assert dict(opened(bare).getexif()) == {}
    assert fit(bare, ANY) is bare


def test_one_that_would_be_too_large_without_what_it_tells_is_not_made_smaller() -> None:
    media = as_given(noise((300, 200)), "JPEG", exif=told(6), quality=5)
    with pytest.raises(RejectedError, match=r"without what it tells of its author, picture .* the limit is"):
        fit(media, replace(ANY, media_bytes=len(media.data)))


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xda\0\2\1\2", b"\xff\xd8\0\0\0\0"])
def test_what_is_no_whole_jpeg_is_not_taken_apart(data: bytes) -> None:
    with pytest.raises(jpeg.NotWholeError):
        jpeg.bare(data)
