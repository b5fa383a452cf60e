"""What the Graph API answers about a Page's posts, as far as we read it."""

from pydantic import AwareDatetime, BaseModel


class Page(BaseModel):
    """The Page; its token is shown to those who may post for it."""

    id: str
    name: str = ""
    access_token: str = ""


class Held(BaseModel):
    """A post that may wait for its time."""

    id: str
    message: str = ""
    is_published: bool = False
    scheduled_publish_time: AwareDatetime | None = None
    permalink_url: str = ""


class _Cursors(BaseModel):
    after: str = ""


class _Paging(BaseModel):
    cursors: _Cursors = _Cursors()
    next: str = ""


class HeldPage(BaseModel):
    """A page of posts that wait."""

    data: list[Held] = []
    paging: _Paging = _Paging()


class _Count(BaseModel):
    count: int | None = None
    total_count: int | None = None


class _Summary(BaseModel):
    summary: _Count = _Count()


class Counts(BaseModel):
    """What stands at a post itself; it says nothing of shares where there are none."""

    shares: _Count = _Count()
    comments: _Summary = _Summary()


class _Phase(BaseModel):
    status: str = ""
    publish_status: str = ""


class _Status(BaseModel):
    uploading_phase: _Phase = _Phase()
    publishing_phase: _Phase = _Phase()


class Video(BaseModel):
    """How far a video is; `post_id` of the post that shows it."""

    id: str = ""
    published: bool = False
    permalink_url: str = ""
    post_id: str = ""
    status: _Status = _Status()

    @property
    def public(self) -> bool:
        """Say whether people can see it."""
        return self.published or self.status.publishing_phase.publish_status == "published"


class Session(BaseModel):
    """An upload of a video under way: which bytes it wants next."""

    upload_session_id: str = ""
    video_id: str = ""
    start_offset: int = 0
    end_offset: int = 0


class Done(BaseModel):
    """The answer to the last step of a video."""

    success: bool
