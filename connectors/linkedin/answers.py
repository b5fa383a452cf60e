"""What LinkedIn answers, as far as we read it; times are milliseconds since 1970.

https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/posts-api
"""

from datetime import UTC, datetime

from pydantic import BaseModel, Field, FiniteFloat

from connectors.base import Post
from connectors.linkedin.text import plain, read


class Member(BaseModel):
    """Who the token belongs to: https://learn.microsoft.com/en-us/linkedin/consumer/integrations/self-serve/sign-in-with-linkedin-v2"""

    sub: str
    name: str = ""


class Organization(BaseModel):
    """A page: https://learn.microsoft.com/en-us/linkedin/marketing/community-management/organizations/organization-lookup-api"""

    name: str = Field(alias="localizedName")


class Written(BaseModel):
    """A post."""

    id: str
    commentary: str = ""
    created: float = Field(0.0, alias="createdAt")

    @property
    def at(self) -> datetime:
        """When it was made."""
        return datetime.fromtimestamp(self.created / 1_000, UTC)

    def says(self, post: Post) -> bool:
        """Say whether this is the post, by its text."""
        return plain(read(self.commentary)) == plain(post.text)


class Posts(BaseModel):
    """A page of posts, the newest first."""

    elements: list[Written]


class _Text(BaseModel):
    text: str = ""


class _Time(BaseModel):
    time: float = 0.0


class Comment(BaseModel):
    """A comment: https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/comments-api"""

    urn: str = Field(alias="commentUrn")
    actor: str = ""
    message: _Text = _Text()
    created: _Time = _Time()

    @property
    def at(self) -> datetime:
        """When it was made."""
        return datetime.fromtimestamp(self.created.time / 1_000, UTC)

    def says(self, post: Post, author: str) -> bool:
        """Say whether this is the reply, by its author and text."""
        return self.actor == author and plain(self.message.text) == plain(post.text)


class Comments(BaseModel):
    """A page of comments."""

    elements: list[Comment]


class _Instruction(BaseModel):
    url: str = Field(alias="uploadUrl")
    first: int = Field(alias="firstByte")
    last: int = Field(alias="lastByte")


class _Place(BaseModel):
    image: str = ""
    video: str = ""
    url: str = Field("", alias="uploadUrl")
    token: str = Field("", alias="uploadToken")
    instructions: list[_Instruction] = Field([], alias="uploadInstructions")


class Upload(BaseModel):
    """Where a picture or video goes."""

    value: _Place


class Asset(BaseModel):
    """How far LinkedIn is with a video."""

    status: str


class Share(BaseModel):
    """What was counted of one post of an organisation."""

    share: str = ""
    post: str = Field("", alias="ugcPost")
    figures: dict[str, FiniteFloat] = Field(alias="totalShareStatistics")


class Shares(BaseModel):
    """What was counted of some posts; one without any is left out."""

    elements: list[Share]


class _Count(BaseModel):
    count: FiniteFloat


class Counts(BaseModel):
    """One figure of one post of a member."""

    elements: list[_Count]


class _Input(BaseModel):
    code: str = ""
    description: str = ""


class _Details(BaseModel):
    inputs: list[_Input] = Field([], alias="inputErrors")


class Refusal(BaseModel):
    """An error."""

    message: str = ""
    code: str = ""
    details: _Details = Field(_Details(), alias="errorDetails")

    @property
    def codes(self) -> set[str]:
        """Every name it has."""
        return {self.code, *(each.code for each in self.details.inputs)} - {""}
