"""What each channel is held against: its specification, where that lies, and how far it can be trusted."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

from tests.wire.consent import CONSENT
from tests.wire.discovery import Discovery
from tests.wire.lexicon import Lexicons
from tests.wire.openapi import OpenApi, Operations, Several, Spec
from tests.wire.operation import Operation, Parameter, Schema
from tests.wire.tables import Graph, Recorded, Telegram, Transcription, named

SPECS = Path(__file__).parents[3] / "shared" / "platforms" / "specs"
Maturity = Literal["specification", "recording", "real server", "transcription"]


@dataclass(frozen=True)
class Platform:
    """How a channel's requests are judged; `maturity` names everything that it was held against.

    `kinds` are requests that the connector's source does not spell in one place; `errors_inside`: a refusal
    may come as 200.
    """

    spec: Callable[[], Spec]
    maturity: tuple[Maturity, ...]
    source: str
    recordings: str = ""
    kinds: tuple[str, ...] = ()
    errors_inside: bool = False
    prefix: str = ""  # what the connector's paths are relative to


def _more(*names: str) -> Operations:
    """Make operations that another document than the specification describes."""
    told = (each.split(" ", 1) for each in names)
    return Operations(Operation(method, path, others=True) for method, path in told)


def also(spec: Operations, more: Mapping[str, Collection[str]]) -> Operations:
    """Add names that operations take by newer documents than their specification."""
    return Operations(_wider(each, more.get(each.name, ())) for each in spec.all)


def _wider(operation: Operation, names: Collection[str]) -> Operation:
    if not names:
        return operation
    known: Schema = {"properties": {name: {} for name in names}}
    bodies = {kind: {"allOf": [told or {}, known]} for kind, told in operation.bodies.items()}
    parameters = [*operation.parameters, *(Parameter(name, "query") for name in names)]
    return replace(operation, parameters=parameters, bodies=bodies)


def _form(name: str) -> Operation:
    """Make an operation that takes any form with files."""
    return replace(_more(name).all[0], bodies={"multipart/form-data": None})


_PHOTO_POST: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["media_type", "post_mode", "post_info", "source_info"],
    "properties": {
        "media_type": {"const": "PHOTO"},
        "post_mode": {"enum": ["DIRECT_POST", "MEDIA_UPLOAD"]},
        "post_info": {
            "type": "object",
            "additionalProperties": False,
            "required": ["privacy_level"],
            "properties": {
                "title": {"type": "string"},
                "description": {"type": "string"},
                "privacy_level": {
                    "enum": [
                        "PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "FOLLOWER_OF_CREATOR", "SELF_ONLY",
                    ]
                },
                "disable_comment": {"type": "boolean"},
                "auto_add_music": {"type": "boolean"},
                "brand_content_toggle": {"type": "boolean"},
                "brand_organic_toggle": {"type": "boolean"},
            },
        },
        "source_info": {
            "type": "object",
            "additionalProperties": False,
            "required": ["source", "photo_images", "photo_cover_index"],
            "properties": {
                "source": {"const": "PULL_FROM_URL"},
                "photo_images": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 35},
                "photo_cover_index": {"type": "integer", "minimum": 0, "maximum": 34},
            },
        },
    },
}  # fmt: skip

_ELSEWHERE = {
    # The storage that an upload's address names takes a form with the file: "Create video Pins",
    # https://developers.pinterest.com/docs/work-with-organic-content-and-users/create-boards-and-pins/
    "pinterest": Operations([_form("POST /")]),
    # What the transcription leaves out, each from its page of
    # https://learn.microsoft.com/en-us/linkedin/marketing/community-management/: shares/comments-api (fields,
    # reading, deleting), shares/videos-api (a video's state), shares/images-api (where bytes go),
    # organizations/organization-lookup-api, shares/posts-api (start, among the finder's names), and
    # https://learn.microsoft.com/en-us/linkedin/consumer/integrations/self-serve/sign-in-with-linkedin-v2
    "linkedin": Operations(
        [
            named(
                "POST",
                "/rest/socialActions/{urn}/comments",
                {"actor", "object", "message", "parentComment", "content"},
            ),
            named("GET", "/rest/socialActions/{urn}/comments", {"start", "count"}),
            named("DELETE", "/rest/socialActions/{urn}/comments/{id}", {"actor"}),
            named("POST", "/rest/images", {"action", "initializeUploadRequest"}),
            named("POST", "/rest/videos", {"action", "initializeUploadRequest", "finalizeUploadRequest"}),
            named("GET", "/rest/videos/{urn}", set()),
            named("GET", "/rest/organizations/{id}", set()),
            named("GET", "/v2/userinfo", set()),
            Operation(
                "PUT",
                "/dms-uploads/sp/{place}/{kind}/{number}",
                bodies={"application/octet-stream": None},
                others=True,
            ),
        ]
    ),
    # No cassette lists our own posts or comments: https://www.reddit.com/dev/api/#GET_user_{username}_{where}
    "reddit": _more("GET /user/{name}/submitted", "GET /user/{name}/comments"),
    # https://developers.google.com/youtube/v3/guides/using_resumable_upload_protocol
    "youtube": Operations([Operation("PUT", "/upload/youtube/v3/videos", others=True)]),  # bytes alone
    # https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide
    # https://developers.tiktok.com/doc/tiktok-api-v2-video-query (its body; the transcription has its query)
    # https://developers.tiktok.com/doc/content-posting-api-reference-photo-post (all of its body)
    "tiktok": Operations(
        [
            Operation("PUT", "/upload/{place}", others=True),  # bytes alone
            Operation("POST", "/v2/post/publish/content/init/", bodies={"application/json": _PHOTO_POST}),
            named("POST", "/v2/video/query/", {"fields", "filters"}),
        ]
    ),
    # https://docs.slack.dev/reference/methods/files.getUploadURLExternal
    # https://docs.slack.dev/reference/methods/files.completeUploadExternal
    # https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
    "slack": Operations(
        [
            named(
                "POST",
                "/api/files.getUploadURLExternal",
                {"filename", "length", "alt_txt", "snippet_type"},
            ),
            named(
                "POST",
                "/api/files.completeUploadExternal",
                {"files", "channel_id", "initial_comment", "thread_ts", "channels", "blocks"},
            ),
            named(
                "POST",
                "/services/{team}/{place}/{secret}",
                {"text", "blocks", "attachments", "thread_ts", "response_type", "unfurl_links"},
            ),
            Operation("POST", "/upload/v1/{place}", others=True),  # bytes alone
        ]
    ),
    # The transcription leaves its fields out: https://developers.facebook.com/docs/threads/retrieve-and-manage-replies
    "threads": _more("GET /v1.0/me/replies"),
    # The transcription has no media, no users and no fields of one post. Where permalinks are plain, the API
    # is behind ?rest_route= of the front page, whose Link header says so:
    # https://developer.wordpress.org/rest-api/reference/media/#create-a-media-item
    # https://developer.wordpress.org/rest-api/reference/users/#retrieve-a-user-2
    # https://developer.wordpress.org/rest-api/reference/posts/#update-a-post
    # https://developer.wordpress.org/rest-api/using-the-rest-api/discovery/
    "wordpress": Operations(
        [
            named("GET", "/wp-json/wp/v2/users/me", {"context"}),
            named(
                "POST",
                "/wp-json/wp/v2/media",
                {"file", "alt_text", "title", "caption", "description", "status"},
            ),
            named("GET", "/wp-json/wp/v2/posts/{id}", {"context", "password"}),
            named("POST", "/wp-json/wp/v2/posts/{id}", {"status", "date_gmt", "title", "content", "slug"}),
            named("DELETE", "/wp-json/wp/v2/posts/{id}", {"force"}),
            *(Operation(verb, "/", others=True) for verb in ("GET", "POST", "DELETE")),
        ]
    ),
    # With an empty key of the state the end of the path may be left out; an upload has whatever type it has:
    # https://spec.matrix.org/v1.18/client-server-api/#get_matrixclientv3roomsroomidstateeventtypestatekey
    # https://spec.matrix.org/v1.18/client-server-api/#post_matrixmediav3upload
    "matrix": Operations(
        [
            Operation("GET", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}"),
            Operation("POST", "/_matrix/media/v3/upload", [Parameter("filename", "query")], others=True),
        ]
    ),
    # https://nodeinfo.diaspora.software/protocol.html
    "mastodon": _more("GET /.well-known/nodeinfo", "GET /nodeinfo/{version}"),
}


# Slack's specification is of 2021; what came later is described at
# https://docs.slack.dev/reference/methods/chat.postMessage (metadata),
# https://docs.slack.dev/reference/methods/conversations.history (include_all_metadata),
# https://docs.slack.dev/reference/methods/conversations.replies (include_all_metadata)
_SLACK = {
    "POST /api/chat.postMessage": ("metadata",),
    "GET /api/conversations.history": ("include_all_metadata",),
    "GET /api/conversations.replies": ("include_all_metadata",),
}


# No cassette posts a video: https://www.reddit.com/dev/api/#POST_api_submit (video_poster_url)
_REDDIT = {"POST /api/submit": ("video_poster_url",)}

# The lists of parameters name no files: https://developers.facebook.com/docs/graph-api/reference/page/photos/
_PHOTOS = {"POST /{version}/{id}/photos": ("source",)}


PLATFORMS: dict[str, Platform] = {
    "mastodon": Platform(
        lambda: Several(OpenApi(SPECS / "mastodon/openapi/schema.json"), _ELSEWHERE["mastodon"]),
        ("specification", "recording", "real server"),
        "mastodon/openapi/schema.json",
        "mastodon/cassettes",
        kinds=("GET /nodeinfo/{}",),
    ),
    "bluesky": Platform(
        lambda: Lexicons(SPECS / "bluesky/lexicons"),
        ("specification", "recording", "real server"),
        "bluesky/lexicons",
        "bluesky/vectors",
        kinds=(
            "GET com.atproto.identity.resolveHandle",
            "GET com.atproto.repo.getRecord",
        ),
        prefix="/xrpc/",
    ),
    "x": Platform(
        lambda: OpenApi(SPECS / "x/openapi/openapi.json"),
        ("specification", "recording"),
        "x/openapi/openapi.json",
        "x/tweepy-cassettes",
    ),
    "facebook": Platform(
        lambda: also(
            Graph(SPECS / "facebook/business_sdk_specs", "Page", "PagePost", "Photo", "AdVideo"), _PHOTOS
        ),
        ("specification", "recording"),
        "facebook/business_sdk_specs",
        "facebook/python-facebook-testdata",
    ),
    "instagram": Platform(
        # IGMedia comes first: figures of a post need no period, those of an account do.
        lambda: Graph(SPECS / "facebook/business_sdk_specs", "IGMedia", "IGUser", "IGUserForIGOnlyAPI"),
        ("specification", "recording"),
        "facebook/business_sdk_specs",
        "facebook/python-facebook-testdata",
    ),
    "threads": Platform(
        lambda: Several(
            _ELSEWHERE["threads"], Transcription(SPECS / "threads/threads_contract.json", "/v1.0")
        ),
        ("transcription",),
        "threads/threads_contract.json",
    ),
    "linkedin": Platform(
        lambda: Several(
            _ELSEWHERE["linkedin"],
            also(Transcription(SPECS / "linkedin/linkedin_contract.json"), {"GET /rest/posts": ("start",)}),
        ),
        ("transcription",),
        "linkedin/linkedin_contract.json",
        kinds=("PUT /dms-uploads/sp/{}/{}/{}",),
    ),
    "youtube": Platform(
        lambda: Several(
            Discovery(
                SPECS / "youtube/discovery/youtube-v3.json",
                SPECS / "youtube/discovery/youtubeAnalytics-v2.json",
            ),
            _ELSEWHERE["youtube"],
        ),
        ("specification", "recording"),
        "youtube/discovery",
        "youtube/python-youtube-testdata",
        kinds=("PUT /upload/youtube/v3/videos",),
    ),
    "tiktok": Platform(
        lambda: Several(_ELSEWHERE["tiktok"], Transcription(SPECS / "tiktok/tiktok_contract.json")),
        ("transcription",),
        "tiktok/tiktok_contract.json",
        kinds=("PUT /upload/{}",),
        errors_inside=True,
    ),
    "pinterest": Platform(
        lambda: Several(OpenApi(SPECS / "pinterest/openapi/openapi.json"), _ELSEWHERE["pinterest"]),
        ("specification",),
        "pinterest/openapi/openapi.json",
    ),
    "reddit": Platform(
        lambda: Several(also(Recorded(SPECS / "reddit/praw-cassettes"), _REDDIT), _ELSEWHERE["reddit"]),
        ("recording",),
        "reddit/praw-cassettes",
        "reddit/praw-cassettes",
        errors_inside=True,
    ),
    "telegram": Platform(
        lambda: Telegram(SPECS / "telegram/api.json"), ("specification",), "telegram/api.json"
    ),
    "discord": Platform(
        lambda: OpenApi(SPECS / "discord/openapi/openapi.json"),
        ("specification",),
        "discord/openapi/openapi.json",
    ),
    "slack": Platform(
        lambda: Several(
            also(
                OpenApi(SPECS / "slack/openapi/slack_web_openapi_v2.json", without=frozenset({"token"})),
                _SLACK,
            ),
            _ELSEWHERE["slack"],
        ),
        ("specification", "recording"),
        "slack/openapi/slack_web_openapi_v2.json",
        "slack/samples",
        kinds=("POST /upload/v1/{}",),
        errors_inside=True,
    ),
    "matrix": Platform(
        lambda: Several(
            _ELSEWHERE["matrix"],
            OpenApi(*sorted((SPECS / "matrix/openapi/api/client-server").glob("*.yaml"))),
        ),
        ("specification", "real server"),
        "matrix/openapi",
    ),
    "wordpress": Platform(
        lambda: Several(
            _ELSEWHERE["wordpress"],
            Transcription(SPECS / "wordpress/wp_v2_posts_contract.json", "/wp-json"),
        ),
        ("transcription", "real server"),
        "wordpress/wp_v2_posts_contract.json",
        kinds=("POST /", "DELETE /"),
    ),
}
# Channels that send no HTTP to a platform with a specification.
ELSEWHERE = {
    "email": "SMTP (RFC 5321); held against a real server",
    "practice": "our own rehearsal platform",
    "handoff": "nothing is sent: the advocate shares",
}


@cache
def spec(channel: str) -> Spec:
    """Read a channel's specification, once; how consent is asked for is added where it does not say."""
    asked = CONSENT.get(channel)
    told = PLATFORMS[channel].spec()
    return Several(asked, told) if asked else told
