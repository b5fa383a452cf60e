"""Pictures: what their bytes are, and what a platform gets of them."""

import io
from dataclasses import replace
from datetime import date

import pytest
from PIL import Image

from connectors.base import Capabilities, Media, RejectedError, Repeat
from connectors.media import MOST_PIXELS, Facts, facts, fit, misfits, problems
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
    from PIL import ImageCms

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
