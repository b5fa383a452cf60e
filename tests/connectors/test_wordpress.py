"""WordPress's connector: the contract, drafts, what is written and read back, refusals, and a real site."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import (
    ConnectorError,
    LimitedError,
    Media,
    Post,
    RejectedError,
    TemporaryError,
    UnauthorizedError,
    UncertainError,
)
from connectors.contract import (
    REASON,
    Answer,
    Asked,
    ConnectorContract,
    ContractAttempt,
    Fault,
    HoldingContract,
    Platform,
    Route,
)
from connectors.wordpress import WordPress
from connectors.wordpress.answers import Uploaded
from connectors.wordpress.writing import blocks, slug, text, title
from tests.connectors.conftest import picture
from tests.connectors.killing import killed
from tests.servers.http1 import Request
from tests.servers.proxy import Drop, Proxy, times
from tests.servers.wordpress import WordPress as RealSite
from tests.wire.operation import Sent, parts
from tests.wire.platforms import SPECS

PASSWORD = "abcd EFGH 1234 ijkl"
API = "/wp-json/wp/v2"
HOME, ME = "GET /", f"GET {API}/users/me"
LIST, MAKE, UPLOAD = f"GET {API}/posts", f"POST {API}/posts", f"POST {API}/media"
GET, PUBLISH, DELETE = f"GET {API}/posts/55", f"POST {API}/posts/55", f"DELETE {API}/posts/55"
CLIP = Media("v.mp4", "video/mp4", "it turns", b"mp4")
DUE = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)


def entry(status: str = "draft", content: str = "", at: datetime = DUE, id: int = 55) -> dict[str, Any]:
    """Make a post as a site shows it to who may edit it."""
    return {
        "id": id, "status": status, "link": f"https://blog.example/castle-{id}/", "slug": "castle",
        "date_gmt": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"), "content": {"raw": content},
    }  # fmt: skip


def refused(status: int, code: str, words: str = REASON) -> Answer:
    return Answer({"code": code, "message": words, "data": {"status": status}}, status)


def query(asked: Asked) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(asked.query).items()}


def listing(asked: Asked) -> Answer:
    """Answer that a post is held where one is asked for by id, and that no slug is taken."""
    return Answer([entry("future")] if "include" in query(asked) else [])


def me(**capabilities: bool) -> Answer:
    may = capabilities or {"publish_posts": True}
    told = {"id": 7, "slug": "brand", "link": "https://blog.example/author/brand/"}
    return Answer({**told, "capabilities": may})


def linked(root: str) -> Answer:
    return Answer(b"<html>", 200, {"Link": f'<{root}>; rel="https://api.w.org/"'})


ALL_WELL: Mapping[str, Route] = {
    HOME: linked("https://blog.example/wp-json/"),
    ME: me(),
    LIST: listing,
    MAKE: Answer(entry(), 201),
    GET: Answer(entry()),
    PUBLISH: Answer(entry("publish")),
    UPLOAD: Answer({"id": 9, "source_url": "https://blog.example/up/teal.png"}, 201),
    DELETE: Answer(entry("trash")),
}
POST = Post(
    "Good morning: https://brand.example/r/abc", subject="The castle", link="https://brand.example/r/abc"
)


class TestWordPressKeepsTheContract(ConnectorContract, HoldingContract):
    connector = WordPress
    commit = PUBLISH
    routes: ClassVar[Mapping[str, Route]] = ALL_WELL
    whoami = (ME, "brand@blog.example")
    accepted = Answer(entry("publish"))
    published = "55"
    unauthorized = refused(401, "incorrect_password")
    rejected = refused(400, "rest_invalid_param")
    counted: ClassVar[Mapping[str, Route]] = {}
    unreported = ""
    post = POST
    hold, listing = PUBLISH, LIST
    held = Answer(entry("future"))
    held_id = "55"
    take_back = DELETE
    taken_back = Answer(entry("trash"))
    deletion = DELETE

    def settings(self, url: str) -> WordPress.Settings:
        return WordPress.Settings.model_validate({"site": url, "user": "brand", "password": PASSWORD})

    def there(self, post: Post) -> Mapping[str, Route]:
        return {GET: Answer(entry("publish"))}

    def absent(self) -> Mapping[str, Route]:
        return {GET: Answer(entry())}

    def holding(self, post: Post, at: datetime) -> Answer:
        return Answer([entry("future", blocks(post.text, ()), at)])


Make = Callable[..., WordPress]


@pytest.fixture
def make(platform: Platform, pauses: list[float]) -> Iterator[Make]:
    """Give a maker of connectors to a site where all goes well."""
    platform.routes |= ALL_WELL
    made: list[WordPress] = []

    def maker(**more: object) -> WordPress:
        given = {"site": platform.url, "user": "brand", "password": PASSWORD, **more}
        made.append(WordPress(WordPress.Settings.model_validate(given), {}, 5.0))
        return made[-1]

    yield maker
    for each in made:
        each.close()


@pytest.fixture
def site(make: Make) -> WordPress:
    """Give a connector that was introduced."""
    connector = make()
    connector.whoami()
    return connector


def made(platform: Platform) -> dict[str, Any]:
    """Return the draft that was made."""
    [call] = platform.calls(MAKE)
    draft: dict[str, Any] = json.loads(call.body)
    return draft


# ---- connecting -------------------------------------------------------------------------------


def test_a_user_who_may_not_publish_is_refused_at_connect(platform: Platform, make: Make) -> None:
    platform.routes[ME] = me(edit_posts=True)
    with pytest.raises(UnauthorizedError, match="make the user an author or editor"):
        make().whoami()
    platform.routes[ME] = Answer({"id": 7, "slug": "brand", "capabilities": []})
    with pytest.raises(UnauthorizedError, match="may not publish"):
        make().whoami()


@pytest.mark.parametrize("code", ["rest_not_logged_in", "rest_cannot_create"])
def test_a_host_that_takes_the_authorization_away_is_thought_of(
    platform: Platform, make: Make, code: str
) -> None:
    platform.routes[ME] = refused(401, code, "You are not currently logged in.")
    with pytest.raises(UnauthorizedError, match="the host takes the Authorization header away"):
        make().whoami()
    platform.routes[ME] = refused(401, "incorrect_password", "The provided password is an invalid one.")
    with pytest.raises(UnauthorizedError) as caught:
        make().whoami()
    assert "header" not in str(caught.value)


@pytest.mark.parametrize(
    "front",
    [
        Answer(b"<html>"),
        Answer(status=404),
        Answer(status=403),
        Answer(status=301, headers={"Location": "/en/"}),
    ],
)
def test_a_front_page_that_says_nothing_leaves_the_api_where_it_usually_is(
    platform: Platform, make: Make, front: Answer
) -> None:
    platform.routes[HOME] = front
    assert make().whoami() == "brand@blog.example"
    assert len(platform.calls(ME)) == 1


def test_a_site_that_has_no_api_is_said_to_have_none(platform: Platform, make: Make) -> None:
    platform.routes[ME] = refused(404, "rest_no_route", "No route was found matching the URL.")
    with pytest.raises(RejectedError, match="No route was found"):
        make().whoami()


def plain(platform: Platform) -> None:
    """Let the site have plain permalinks: everything is asked of the front page."""
    routes = {name: platform.routes.pop(name) for name in list(platform.routes) if API in name}

    def front(asked: Asked) -> Answer:
        asked_for = query(asked)
        if "rest_route" not in asked_for:
            return linked("https://blog.example/index.php?rest_route=/")
        route = routes.get(f"{asked.method} /wp-json{asked_for['rest_route']}", refused(404, "rest_no_route"))
        return route(asked) if callable(route) else route

    platform.routes |= {"GET /": front, "POST /": front, "DELETE /": front}


def test_a_site_with_plain_permalinks_is_spoken_to_through_its_front_page(
    platform: Platform, make: Make
) -> None:
    plain(platform)
    connector = make()
    assert connector.whoami() == "brand@blog.example"
    assert connector.publish(POST, ContractAttempt()).id == "55"
    assert connector.unschedule("55") is True
    connector.delete("55")
    routes = [query(each).get("rest_route", "") for each in platform.asked]
    posts, one = "/wp/v2/posts", "/wp/v2/posts/55"
    assert routes == ["", "/wp/v2/users/me", posts, posts, one, posts, one, one]
    assert query(platform.asked[2])["status"] == "any"


def test_a_site_with_plain_permalinks_refuses_as_others_do(platform: Platform, make: Make) -> None:
    platform.routes[DELETE] = refused(403, "rest_cannot_delete")
    platform.routes[PUBLISH] = refused(400, "rest_invalid_param")
    plain(platform)
    connector = make()
    with pytest.raises(RejectedError, match=REASON):
        connector.publish(POST, ContractAttempt())
    with pytest.raises(UnauthorizedError):
        connector.delete("55")


# ---- the draft --------------------------------------------------------------------------------


def test_a_draft_has_everything_and_the_commit_only_makes_it_public(platform: Platform, make: Make) -> None:
    made_by = make(categories="3,5", tags="8", comments=True)
    told = made_by.publish(Post("One\nline\n\nTwo", subject="A & B <c>"), ContractAttempt())
    key = slug("A & B <c>", ContractAttempt().key)
    assert key.startswith("a-b-c-")
    assert made(platform) == {
        "status": "draft", "slug": key, "title": "A &amp; B &lt;c&gt;", "comment_status": "open",
        "content": "<!-- wp:paragraph -->\n<p>One<br />line</p>\n<!-- /wp:paragraph -->\n\n"
                   "<!-- wp:paragraph -->\n<p>Two</p>\n<!-- /wp:paragraph -->",
        "categories": [3, 5], "tags": [8],
    }  # fmt: skip
    assert [json.loads(each.body) for each in platform.calls(PUBLISH)] == [{"status": "publish"}]
    assert (told.id, told.url, told.at) == ("55", "https://blog.example/castle-55/", DUE)


def test_comments_are_closed_and_nothing_is_sorted_without_a_setting(
    platform: Platform, site: WordPress
) -> None:
    site.publish(POST, ContractAttempt())
    assert made(platform)["comment_status"] == "closed"
    assert not {"categories", "tags", "featured_media"} & made(platform).keys()


@pytest.mark.parametrize("ids", ["news", "3;5", "3,", "-1"])
def test_what_are_no_ids_is_no_setting(make: Make, ids: str) -> None:
    with pytest.raises(ValueError, match="categories"):
        make(categories=ids)


def test_a_draft_whose_answer_was_lost_is_found_by_its_address_and_not_made_again(
    platform: Platform, site: WordPress
) -> None:
    attempt = ContractAttempt()
    platform.routes[MAKE] = Answer(fault=Fault.RESET)
    with pytest.raises(TemporaryError):
        site.publish(POST, attempt)
    assert attempt.left == 0
    platform.routes[LIST] = Answer([entry()])
    assert site.publish(POST, attempt.again()).id == "55"
    assert len(platform.calls(MAKE)) == 1
    asked = query(platform.calls(LIST)[1])
    assert (asked["slug"], asked["status"], asked["context"]) == (
        slug(POST.subject, attempt.key),
        "any",
        "edit",
    )


def test_a_post_that_is_public_by_now_is_not_sent_again(platform: Platform, site: WordPress) -> None:
    attempt = ContractAttempt()
    attempt.kept["post"] = "55"
    platform.routes[GET] = Answer(entry("publish"))
    assert site.publish(POST, attempt).id == "55"
    assert (platform.calls(PUBLISH), platform.calls(MAKE), attempt.left) == ([], [], 0)


@pytest.mark.parametrize("answer", [refused(404, "rest_post_invalid_id"), Answer(entry("trash"))])
def test_a_draft_that_somebody_deleted_is_not_made_anew(
    platform: Platform, site: WordPress, answer: Answer
) -> None:
    attempt = ContractAttempt()
    attempt.kept["post"] = "55"
    platform.routes[GET] = answer
    with pytest.raises(RejectedError, match="deleted the post"):
        site.publish(POST, attempt)
    assert platform.calls(MAKE) == []


@pytest.mark.parametrize(("status", "kind"), [("pending", RejectedError), ("future", UncertainError)])
def test_an_answer_that_it_is_not_public_is_no_success(
    platform: Platform, site: WordPress, status: str, kind: type[ConnectorError]
) -> None:
    platform.routes[PUBLISH] = Answer(entry(status))
    with pytest.raises(kind):
        site.publish(POST, ContractAttempt())


# ---- media ------------------------------------------------------------------------------------


def test_the_first_picture_is_the_posts_own_and_the_others_stand_in_it_with_their_alt_texts(
    platform: Platform, site: WordPress
) -> None:
    ids = iter((7, 8, 9))

    def up(asked: Asked) -> Answer:
        id = next(ids)
        return Answer({"id": id, "source_url": f"https://blog.example/up/{id}"}, 201)

    platform.routes[UPLOAD] = up
    post = Post("Look", (CLIP, picture(), picture(colour="red")), subject="Three")
    attempt = ContractAttempt()
    platform.routes[PUBLISH] = Answer(fault=Fault.RESET)
    with pytest.raises(UncertainError):
        site.publish(post, attempt)
    platform.routes[PUBLISH] = Answer(entry("publish"))
    site.publish(post, attempt.again())
    sent = [dict(parts(_sent(each))) for each in platform.calls(UPLOAD)]
    assert [each["alt_text"] for each in sent] == ["it turns", "a teal card", "a red card"]
    assert made(platform)["featured_media"] == 8
    content = made(platform)["content"]
    assert (
        '<video controls src="https://blog.example/up/7"></video><figcaption>it turns</figcaption>' in content
    )
    assert '<img src="https://blog.example/up/9" alt="a red card" class="wp-image-9"/>' in content
    assert "up/8" not in content


def _sent(asked: Asked) -> Sent:
    headers = {name.lower(): value for name, value in asked.headers.items()}
    return Sent("", "POST", "", "", headers, asked.body)


def test_an_upload_is_not_made_twice_after_a_later_step_failed(platform: Platform, site: WordPress) -> None:
    attempt, post = ContractAttempt(), Post("Look", (picture(),), subject="One")
    platform.routes[MAKE] = Answer(status=503)
    with pytest.raises(TemporaryError):
        site.publish(post, attempt)
    platform.routes[MAKE] = Answer(entry(), 201)
    site.publish(post, attempt.again())
    assert len(platform.calls(UPLOAD)) == 1


def test_a_picture_is_made_small_enough_for_what_the_host_takes(make: Make) -> None:
    assert make().limits().media_bytes == 2_000_000
    limits = make(upload=500).limits()
    assert (limits.media_bytes, limits.video and limits.video.bytes) == (500, 500)
    assert (
        "the limit is 500"
        in make(upload=500).problems(Post("a", (Media("v.mp4", "video/mp4", "x", b"v" * 501),), subject="b"))[
            0
        ]
    )


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(500, "rest_upload_unknown_error", "The uploaded file exceeds the limit."), RejectedError),
        (refused(500, "rest_upload_sideload_error"), RejectedError),
        (refused(400, "rest_upload_no_content_disposition"), RejectedError),
        (refused(413, ""), RejectedError),
        (refused(403, "rest_cannot_create"), UnauthorizedError),
        (refused(500, "db_insert_error"), TemporaryError),
        (Answer(status=503), TemporaryError),
    ],
)
def test_a_refused_upload_says_why_and_nothing_is_made(
    platform: Platform, site: WordPress, answer: Answer, kind: type[ConnectorError]
) -> None:
    platform.routes[UPLOAD] = answer
    with pytest.raises(kind):
        site.publish(Post("Look", (picture(),), subject="One"), ContractAttempt())
    assert (len(platform.calls(UPLOAD)), platform.calls(MAKE)) == (1, [])


# ---- what is written --------------------------------------------------------------------------


@given(st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"])))
def test_a_text_is_read_back_as_it_was_written(said: str) -> None:
    assert text(blocks(said, ())) == said


def test_links_are_links_and_nothing_else_becomes_markup() -> None:
    told = blocks('<script> & "x" [gallery] https://brand.example/r?a=1&b=2, ok', ())
    assert '<a href="https://brand.example/r?a=1&amp;b=2">https://brand.example/r?a=1&amp;b=2</a>, ok' in told
    assert "&lt;script&gt; &amp; &quot;x&quot; &#91;gallery]" in told
    evil = Media("a.png", "image/png", '"><script>[x]', b"")
    figure = blocks("", [(evil, Uploaded(id=1, source_url='https://a.example/"x'))])
    assert 'alt="&quot;&gt;&lt;script&gt;&#91;x]"' in figure
    assert 'src="https://a.example/&quot;x"' in figure


@pytest.mark.parametrize(
    ("title", "begins"), [("Grüße & Küsse!", "grusse-kusse-"), ("積木の城", ""), ("a" * 90, "a" * 60 + "-")]
)
def test_an_address_shows_the_title_and_belongs_to_one_attempt(title: str, begins: str) -> None:
    assert slug(title, "key").startswith(begins)
    assert len(slug(title, "key")) == len(begins) + 12
    assert slug(title, "key") == slug(title, "key") != slug(title, "another")


@pytest.mark.parametrize(
    ("post", "told"),
    [
        (Post("First line\nsecond", subject=" The castle "), "The castle"),
        (Post("\n First line \nsecond"), "First line"),
        (Post("word " * 30), "word " * 15 + "word…"),
        (Post("", (picture(),)), "a teal card"),
    ],
)
def test_a_post_without_a_subject_is_called_by_its_first_line(post: Post, told: str) -> None:
    assert title(post) == told


# ---- find -------------------------------------------------------------------------------------


def kept() -> ContractAttempt:
    attempt = ContractAttempt()
    attempt.kept["post"] = "55"
    return attempt


def test_without_a_draft_nothing_can_be_public(platform: Platform, site: WordPress) -> None:
    platform.asked.clear()
    assert site.find(POST, ContractAttempt()) is None
    assert platform.asked == []


def test_a_post_that_is_held_is_not_public_until_its_time_and_may_miss_it(
    platform: Platform, site: WordPress
) -> None:
    platform.routes[GET] = Answer(entry("future", at=datetime.now(UTC) + timedelta(hours=1)))
    with pytest.raises(TemporaryError, match="holds the post until"):
        site.find(POST, kept())
    platform.routes[GET] = Answer(entry("future", at=datetime.now(UTC) - timedelta(hours=1)))
    assert site.find(POST, kept()) is None
    assert site.publish(POST, kept()).id == "55"  # the same draft
    assert platform.calls(MAKE) == []


@pytest.mark.parametrize(
    "answer", [Answer(entry("trash")), Answer(entry("private")), Answer(entry("pending")), Answer(status=404)]
)
def test_what_a_person_changed_is_left_to_people(platform: Platform, site: WordPress, answer: Answer) -> None:
    platform.routes[GET] = answer
    with pytest.raises(UncertainError, match="look there"):
        site.find(POST, kept())


def test_a_route_that_is_switched_off_is_no_deleted_post(platform: Platform, site: WordPress) -> None:
    platform.routes[GET] = refused(404, "rest_no_route")
    with pytest.raises(RejectedError):
        site.find(POST, kept())


# ---- holding ----------------------------------------------------------------------------------


def soon() -> datetime:
    return (datetime.now(UTC) + timedelta(hours=2)).replace(microsecond=0)


def test_a_post_is_held_by_its_time_in_utc(platform: Platform, site: WordPress) -> None:
    at = soon()
    platform.routes[PUBLISH] = Answer(entry("future", blocks(POST.text, ()), at))
    held = site.schedule(POST, ContractAttempt(), at.astimezone())
    assert json.loads(platform.calls(PUBLISH)[0].body) == {
        "status": "future", "date_gmt": at.strftime("%Y-%m-%dT%H:%M:%S")
    }  # fmt: skip
    assert (held.id, held.at, held.text) == ("55", at, POST.text)


def test_a_post_that_is_held_for_that_time_already_is_not_handed_over_again(
    platform: Platform, site: WordPress
) -> None:
    at = soon()
    platform.routes[GET] = Answer(entry("future", at=at))
    assert site.schedule(POST, kept(), at).at == at
    assert platform.calls(PUBLISH) == []
    later = at + timedelta(hours=1)
    platform.routes[PUBLISH] = Answer(entry("future", at=later))
    assert site.schedule(POST, kept(), later).at == later
    assert len(platform.calls(PUBLISH)) == 1
    platform.routes[GET] = Answer(entry("publish"))
    with pytest.raises(UncertainError):
        site.schedule(POST, kept(), at)


def test_all_that_is_held_is_listed_over_pages(platform: Platform, site: WordPress) -> None:
    every = [entry("future", blocks(f"post {id}", ()), id=id) for id in range(1, 151)]

    def page(asked: Asked) -> Answer:
        told = query(asked)
        assert (told["status"], told["author"]) == ("future", "7")
        seen = told.get("exclude", "").split(",")
        return Answer([each for each in every if str(each["id"]) not in seen][: int(told["per_page"])])

    platform.routes[LIST] = page
    found = site.scheduled()
    assert len({each.id for each in found}) == 150
    assert found[149].text == "post 150"
    platform.routes[LIST] = lambda asked: Answer([entry("future", id=id) for id in range(100)])
    with pytest.raises(UncertainError):
        site.scheduled()


def test_only_what_is_held_is_taken_back(platform: Platform, site: WordPress) -> None:
    platform.routes[LIST] = Answer([])
    assert site.unschedule("55") is False
    assert platform.calls(DELETE) == []


# ---- deleting ---------------------------------------------------------------------------------


def test_a_post_goes_into_the_trash_or_for_good(platform: Platform, make: Make) -> None:
    make().delete("55")
    make(trash=False).delete("55")
    assert [query(each) for each in platform.calls(DELETE)] == [{}, {"force": "true"}]


@pytest.mark.parametrize(
    "answer", [refused(404, "rest_post_invalid_id"), refused(410, "rest_already_trashed")]
)
def test_deleting_what_is_gone_is_fine(platform: Platform, site: WordPress, answer: Answer) -> None:
    platform.routes[DELETE] = answer
    site.delete("55")


def test_a_site_without_a_trash_says_so(platform: Platform, site: WordPress) -> None:
    platform.routes[DELETE] = refused(501, "rest_trash_not_supported", "Set 'force=true' to delete.")
    with pytest.raises(RejectedError, match="force=true"):
        site.delete("55")
    assert len(platform.calls(DELETE)) == 1


# ---- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(400, "rest_invalid_param"), RejectedError),
        (refused(401, "rest_cannot_create"), UnauthorizedError),
        (refused(401, "incorrect_password"), UnauthorizedError),
        (refused(403, "rest_cannot_publish"), UnauthorizedError),
        (refused(403, "rest_cannot_edit"), UnauthorizedError),
        (refused(403, "rest_forbidden_context"), UnauthorizedError),
        (Answer(b"<html>blocked by a firewall</html>", 403), RejectedError),
        (refused(404, "rest_no_route"), RejectedError),
        (refused(404, "rest_post_invalid_id"), RejectedError),
        (refused(429, "too_many"), LimitedError),
        (refused(500, "db_update_error"), UncertainError),
        (Answer(b"<html>briefly unavailable</html>", 503), UncertainError),
        (Answer(b"<html>", 200), UncertainError),
    ],
)  # fmt: skip
def test_each_documented_error_has_its_class(
    platform: Platform, site: WordPress, answer: Answer, kind: type[ConnectorError]
) -> None:
    platform.routes[PUBLISH] = answer
    with pytest.raises(kind) as caught:
        site.publish(POST, ContractAttempt())
    assert isinstance(caught.value, RejectedError) == (kind is RejectedError)
    assert len(platform.calls(PUBLISH)) == 1
    assert PASSWORD not in str(caught.value)


@pytest.mark.shared
@pytest.mark.skipif(not SPECS.is_dir(), reason="no folder of specifications beside the project")
def test_the_observed_refusal_is_read(platform: Platform, site: WordPress) -> None:
    told = json.loads((SPECS / "_observed" / "observed_errors.json").read_text(encoding="utf-8"))["items"]
    [seen] = [each for each in told if each["platform"] == "wordpress"]
    platform.routes[MAKE] = Answer(seen["body"], seen["status"])
    with pytest.raises(UnauthorizedError, match="not allowed to create posts"):
        site.publish(POST, ContractAttempt())


# ---- a real site ------------------------------------------------------------------------------


Real = Callable[..., WordPress]


@pytest.fixture
def real(wordpress_site: RealSite) -> Iterator[Real]:
    """Give a maker of connectors to a real site, at an address."""
    opened: list[WordPress] = []

    def maker(url: str = wordpress_site.url, **more: object) -> WordPress:
        given = {"site": url, "user": wordpress_site.user, "password": wordpress_site.password, **more}
        opened.append(WordPress(WordPress.Settings.model_validate(given), {}, 20.0))
        return opened[-1]

    yield maker
    for each in opened:
        each.close()


def _try(key: str) -> ContractAttempt:
    attempt = ContractAttempt()
    attempt.key = key
    return attempt


def _let_pass(site: RealSite, id: str) -> None:
    """Let a held post's time be over, without the site's clockwork having run."""
    past = (datetime.now(UTC) - timedelta(minutes=10)).strftime("%Y-%m-%d %H:%M:%S")
    times = f"['post_date' => '{past}', 'post_date_gmt' => '{past}']"
    site.run(f"global $wpdb; $wpdb->update('wp_posts', {times}, ['ID' => {id}]); clean_post_cache({id});")


def _titled(site: RealSite, title: str, status: str = "any") -> list[dict[str, Any]]:
    return [each for each in site.posts(status) if each["title"]["raw"] == title]


@pytest.mark.servers
def test_a_real_site_shows_text_pictures_and_video_and_they_are_found(
    wordpress_site: RealSite, real: Real
) -> None:
    connector, attempt = real(), _try("shown")
    assert connector.whoami().startswith("admin@127.0.0.1:")
    said = "Grüße 🏰 <b>& [gallery]\n\n\nsee https://brand.example/r/a?x=1&y=2"
    post = Post(said, (picture(), picture(colour="red")), subject="Shown & seen")
    told = connector.publish(post, attempt)
    assert connector.find(post, attempt) == told
    assert connector.publish(post, attempt.again()) == told
    [stored] = _titled(wordpress_site, "Shown &amp; seen", "publish")
    assert text(stored["content"]["raw"]) == said
    assert wordpress_site.call("GET", f"/wp/v2/media/{stored['featured_media']}")["alt_text"] == "a teal card"
    page = wordpress_site.page(told.url)
    assert 'href="https://brand.example/r/a?x=1&#038;y=2"' in page or "r/a?x=1&amp;y=2" in page
    assert "&lt;b&gt;&amp; &#91;gallery]" in page or "&lt;b&gt;&#038; [gallery]" in page
    assert 'alt="a red card"' in page


@pytest.mark.servers
def test_a_lost_reply_of_a_real_site_leaves_one_post(wordpress_site: RealSite, real: Real) -> None:
    post, path = Post("Lost", subject="Lost reply"), "/wp-json/wp/v2/posts/"
    with Proxy(wordpress_site.url, on_answer=times(1, Drop(), path=path)) as proxy:
        connector, attempt = real(proxy.make_url()), _try("lost")
        with pytest.raises(UncertainError):
            connector.publish(post, attempt)
        found = connector.find(post, attempt)
        assert found is not None
        assert connector.publish(post, attempt.again()) == found
        connector.close()
    assert len(_titled(wordpress_site, "Lost reply")) == 1


@pytest.mark.servers
def test_a_process_that_is_killed_while_a_real_site_publishes_leaves_one_post(
    wordpress_site: RealSite, real: Real, tmp_path: Path
) -> None:
    post, path = Post("Killed", subject="Killed"), "/wp-json/wp/v2/posts/"
    with Proxy(wordpress_site.url) as proxy:
        settings = {"site": proxy.make_url(), "user": "admin", "password": wordpress_site.password}
        attempt = killed("wordpress", settings, post, proxy, path, tmp_path / "notes")
    found = real().find(post, attempt)
    assert found is not None
    assert real().publish(post, attempt.again()) == found
    assert [each["status"] for each in _titled(wordpress_site, "Killed")] == ["publish"]


@pytest.mark.servers
def test_a_lost_reply_to_making_the_draft_leaves_one_draft(wordpress_site: RealSite, real: Real) -> None:
    post, path = Post("Lost", subject="Lost draft"), "/wp-json/wp/v2/posts"
    with Proxy(wordpress_site.url, on_answer=times(1, Drop(), path=path)) as proxy:
        connector, attempt = real(proxy.make_url()), _try("draft")
        with pytest.raises(TemporaryError):
            connector.publish(post, attempt)
        assert connector.find(post, attempt) is None
        assert [each["status"] for each in _titled(wordpress_site, "Lost draft")] == ["draft"]
        connector.publish(post, attempt.again())
        connector.close()
    assert [each["status"] for each in _titled(wordpress_site, "Lost draft")] == ["publish"]


@pytest.mark.servers
def test_a_request_that_never_reached_a_real_site_is_surely_not_there(
    wordpress_site: RealSite, real: Real
) -> None:
    def swallow(request: Request) -> Drop | None:
        return Drop() if request.method == "POST" and "/posts/" in request.path else None

    post = Post("Never", subject="Never there")
    with Proxy(wordpress_site.url, on_request=swallow) as proxy:
        connector, attempt = real(proxy.make_url()), _try("never")
        with pytest.raises(UncertainError):
            connector.publish(post, attempt)
        assert connector.find(post, attempt) is None
        connector.close()
    assert [each["status"] for each in _titled(wordpress_site, "Never there")] == ["draft"]


@pytest.mark.servers
def test_a_real_site_holds_a_post_gives_it_back_and_publishes_one_that_is_due(
    wordpress_site: RealSite, real: Real
) -> None:
    connector, attempt, at = real(), _try("held"), soon()
    post = Post("Later\n\non <Monday>", subject="Held")
    held = connector.schedule(post, attempt, at)
    assert [(each.id, each.at, each.text) for each in connector.scheduled()] == [(held.id, at, post.text)]
    assert connector.schedule(post, attempt.again(), at).id == held.id
    with pytest.raises(TemporaryError, match="holds the post"):
        connector.find(post, attempt)
    assert connector.unschedule(held.id) is True
    assert connector.unschedule(held.id) is False
    assert connector.scheduled() == []
    second = _try("held again")
    held = connector.schedule(post, second, at)
    # Its time comes: the site's clockwork has not run, then it does.
    _let_pass(wordpress_site, held.id)
    assert connector.find(post, second) is None
    wordpress_site.run(f"check_and_publish_future_post({held.id});")
    found = connector.find(post, second)
    assert found is not None
    assert found.id == held.id
    assert connector.unschedule(held.id) is False
    assert "on &lt;Monday&gt;" in wordpress_site.page(found.url)


@pytest.mark.servers
def test_a_post_of_a_real_site_that_missed_its_time_is_published_itself(
    wordpress_site: RealSite, real: Real
) -> None:
    connector, attempt, post = real(), _try("missed"), Post("Missed", subject="Missed")
    held = connector.schedule(post, attempt, soon())
    _let_pass(wordpress_site, held.id)
    assert connector.publish(post, attempt.again()).id == held.id
    assert [each["status"] for each in _titled(wordpress_site, "Missed")] == ["publish"]


@pytest.mark.servers
def test_a_real_site_deletes_into_the_trash_or_for_good(wordpress_site: RealSite, real: Real) -> None:
    post = Post("Gone", subject="Gone")
    first, second = (real().publish(post, _try(key)).id for key in ("gone1", "gone2"))
    connector = real(trash=False)
    real().delete(first)
    real().delete(first)
    assert [str(each["id"]) for each in _titled(wordpress_site, "Gone", "trash")] == [first]
    connector.delete(second)
    connector.delete(second)
    assert _titled(wordpress_site, "Gone") == []


@pytest.mark.servers
def test_an_author_of_a_real_site_may_do_all_of_it(wordpress_site: RealSite, real: Real) -> None:
    user, password = wordpress_site.add_author("writer")
    connector, attempt, at = real(user=user, password=password), _try("author"), soon()
    assert connector.whoami().startswith("writer@")
    post = Post("One & <two>\n\n\nhttps://brand.example/r/a?x=1&y=2 🏰", (picture(), picture(colour="red")))
    held = connector.schedule(post, attempt, at)
    assert [(each.id, each.at, each.text) for each in connector.scheduled()] == [(held.id, at, post.text)]
    assert real().scheduled() == []  # it is another user's
    assert connector.unschedule(held.id) is True
    told = connector.publish(post, _try("author again"))
    page = wordpress_site.page(told.url)
    assert 'alt="a red card"' in page
    connector.delete(told.id)
    assert _titled(wordpress_site, "One &amp; &lt;two&gt;") == []


@pytest.mark.servers
def test_a_real_site_refuses_a_wrong_password_and_a_file_that_is_none(
    wordpress_site: RealSite, real: Real
) -> None:
    with pytest.raises(UnauthorizedError, match="the host takes the Authorization header away"):
        real(password="wrong").whoami()
    large = Media("v.mp4", "video/mp4", "long", b"\0" * 2_200_000)
    with pytest.raises(RejectedError, match="upload_max_filesize"):
        real(upload=3_000_000).publish(Post("Large", (large,), subject="Large"), _try("large"))
    assert _titled(wordpress_site, "Large") == []


@pytest.mark.servers
def test_a_real_site_with_plain_permalinks_is_spoken_to_as_well(wordpress_site: RealSite, real: Real) -> None:
    wordpress_site.run("update_option('permalink_structure', '');")
    try:
        connector, attempt, post = real(), _try("plain"), Post("Plain", (picture(),), subject="Plain")
        connector.whoami()
        assert connector.memory["plain"] == "yes"
        told = connector.publish(post, attempt)
        assert "?p=" in told.url
        assert connector.find(post, attempt) == told
        connector.delete(told.id)
    finally:
        wordpress_site.run("update_option('permalink_structure', '/%postname%/');")
