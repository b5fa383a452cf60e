"""The timeline becomes pages that people read in a browser."""

from collections.abc import Sequence
from html import escape
from zlib import crc32

from connectors.rehearsal import markup
from connectors.rehearsal.messages import Account, Picture, RefusedError, Status
from connectors.rehearsal.timeline import Timeline
from connectors.rehearsal.wire import Answer

_STYLE = """
:root { color-scheme: light dark; --line: #8883; --soft: #8881; --accent: light-dark(#5a3fc0, #b9a6ff); }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 38rem; padding: 1.5rem 1rem 4rem; overflow-wrap: anywhere;
  font: 16px/1.5 system-ui, sans-serif; }
header p { margin: 0; opacity: .7; } h1 { margin: 0; font-size: 1.5rem; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: 1rem 0; }
a { color: var(--accent); }
article { border: 1px solid var(--line); border-radius: .75rem; margin: 1rem 0; padding: 1rem; }
.by { display: flex; gap: .75rem; align-items: center; }
.by a { font-weight: 600; text-decoration: none; color: inherit; }
.by time { margin-left: auto; opacity: .7; } .by time a { font-weight: 400; }
.face { width: 2.5rem; height: 2.5rem; border-radius: 50%; display: grid; place-items: center;
  font-weight: 700; color: #fff; }
.text p { margin: .75rem 0; } .invisible { display: none; } .ellipsis::after { content: "…"; }
figure { margin: .75rem 0; } img { max-width: 100%; border-radius: .5rem; display: block; }
figcaption { font-size: .85rem; opacity: .7; margin-top: .25rem; }
.counts { display: flex; gap: 1.25rem; margin: .75rem 0 0; padding: 0; list-style: none; opacity: .8; }
.answer { font-size: .85rem; opacity: .7; }
.none { background: var(--soft); border-radius: .75rem; padding: 2rem; text-align: center; }
"""


def show(timeline: Timeline, path: str) -> Answer | None:
    """Return the page or picture that stands at a path; None where there is none."""
    match path.strip("/").split("/"):
        case [""]:
            return _page(timeline, "Rehearsal", timeline.statuses())
        case ["tags", tag]:
            found = [each for each in timeline.statuses() if tag.lower() in markup.tags(each.text)]
            return _page(timeline, f"#{tag}", found)
        case ["media", id]:
            picture = timeline.picture(id)
            return Answer(200, picture.bytes, picture.type)
        case [name] if name.startswith("@"):
            account = timeline.account(name[1:])
            return _page(timeline, account.title, timeline.statuses(account.name))
        case [name, id] if name.startswith("@"):
            return _page(timeline, timeline.account(name[1:]).title, [_of(timeline, name[1:], id)])
    return None


def _of(timeline: Timeline, name: str, id: str) -> Status:
    status = timeline.get(id)
    if status.account != name:
        raise RefusedError(404, "Record not found")
    return status


def _page(timeline: Timeline, title: str, statuses: Sequence[Status]) -> Answer:
    names = "".join(f'<a href="/@{escape(a.name)}">{escape(a.title)}</a>' for a in timeline.accounts())
    posts = "".join(_article(timeline, each) for each in reversed(statuses))
    body = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><header><h1>{escape(title)}</h1>"
        "<p>A platform on this machine. Nothing here is public.</p></header>"
        f'<nav aria-label="Accounts"><a href="/">Everybody</a>{names}</nav>'
        f"<main>{posts or '<p class=none>No posts yet.</p>'}</main></body></html>"
    )
    return Answer(200, body.encode(), "text/html; charset=utf-8")


def _article(timeline: Timeline, status: Status) -> str:
    return (
        f'<article id="{status.id}">{_byline(timeline.account(status.account), status)}{_answers(status)}'
        f'<div class="text" lang="{escape(status.language)}">{status.html}</div>'
        f"{''.join(map(_figure, status.media))}{_counts(timeline, status)}</article>"
    )


def _byline(account: Account, status: Status) -> str:
    link, at = f"/@{escape(account.name)}", status.created_at
    return (
        f'<div class="by">{_face(account.title)}<a href="{link}">{escape(account.title)}</a>'
        f'<time datetime="{at.isoformat()}"><a href="{link}/{status.id}">'
        f"{at:%d %b %Y %H:%M} UTC</a></time></div>"
    )


def _answers(status: Status) -> str:
    if not status.reply_to:
        return ""
    return f'<p class="answer">answers <a href="/#{status.reply_to}">an earlier post</a></p>'


def _face(title: str) -> str:
    initials = escape("".join(word[0] for word in title.split()[:2]))
    colour = f"hsl({crc32(title.encode()) % 360} 55% 35%)"
    return f'<span class="face" aria-hidden="true" style="background: {colour}">{initials}</span>'


def _figure(picture: Picture) -> str:
    where = f"/media/{picture.id}"
    alt = escape(picture.alt)
    if picture.type.startswith("video/"):
        shown = f'<video src="{where}" aria-label="{alt}" controls></video>'
    else:
        shown = f'<img src="{where}" alt="{alt}">'
    return f"<figure>{shown}<figcaption>{alt}</figcaption></figure>"


def _counts(timeline: Timeline, status: Status) -> str:
    counts = timeline.counts(status.id)
    names = {"replies": ("reply", "replies"), "boosts": ("boost", "boosts"), "likes": ("like", "likes")}
    items = (f"<li>{counts[key]:,} {word[counts[key] != 1]}</li>" for key, word in names.items())
    return f'<ul class="counts">{"".join(items)}</ul>'
