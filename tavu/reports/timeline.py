"""What the model wrote from the same prompt at each milestone, as the cards of the page."""

import html
import math

from tavu.reports.curve import milestone_id
from tavu.reports.run_folder import RunRecord, Sample
from tavu.reports.wording import UNIFORM_BPB, bpb, duration, scaled, showable

WAITING = "The first text appears with the first milestone."


def timeline(record: RunRecord) -> str:
    """The section "Watch it learn": one list of milestones for each prompt."""
    prompts = record.prompts
    if not prompts:
        return f'<section id="learn"><h2>Watch it learn</h2><p class="waiting">{WAITING}</p></section>'
    links = [f'<li><a href="#prompt-{number}">{_prompt_words(prompt)}</a></li>' for number, prompt in enumerate(prompts, start=1)]
    jump = f'<ul class="jump" aria-label="Prompts">{"".join(links)}</ul>' if len(prompts) > 1 else ""
    told = [_told(number, prompt, record.samples_of(prompt)) for number, prompt in enumerate(prompts, start=1)]
    return (
        f'<section id="learn"><h2>Watch it learn</h2><p class="lead">The same beginning, again and again: '
        f"all that changes is how long the model has trained.</p>{jump}{''.join(told)}</section>"
    )


def _told(number: int, prompt: str, samples: tuple[Sample, ...]) -> str:
    cards = "".join(_card(number, sample) for sample in samples)
    return f'<section class="story" id="prompt-{number}"><h3>{_prompt_words(prompt)}</h3><ol class="milestones">{cards}</ol></section>'


def _prompt_words(prompt: str) -> str:
    if not prompt:
        return "No prompt: the model starts by itself"
    return f'Asked to go on from <q lang="">{html.escape(showable(prompt))}</q>'


def _card(number: int, sample: Sample) -> str:
    share = min(max(sample.val_bpb / UNIFORM_BPB, 0.0), 1.0)
    score = (
        f'<div class="bar" style="--share:{share:.1%}"><dt>bits per byte</dt><dd>{bpb(sample.val_bpb)}</dd></div>'
        if math.isfinite(sample.val_bpb)
        else ""
    )
    prompt = f"<b>{html.escape(showable(sample.prompt))}</b>" if sample.prompt else ""
    is_whole = sample.stopped == "end"
    mark = (
        '<span class="end" title="The model ended it here, by itself">∎</span>'
        if is_whole
        else '<span class="cut" title="Cut at the length limit">…</span>'
    )
    text = html.escape(showable(sample.text.rstrip() if is_whole else sample.text))
    return (
        f'<li class="milestone" id="{milestone_id(number, sample.step)}"><dl>'
        f'<div class="when"><dt>after</dt><dd>{duration(sample.seconds)}</dd></div>'
        f"<div><dt>read</dt><dd>{scaled(sample.bytes_seen, 'B')}</dd></div>{score}</dl>"
        f'<p class="text" lang="" dir="auto">{prompt}{text}{mark}</p></li>'
    )
