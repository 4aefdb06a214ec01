"""The studio as a person uses it, in a real browser: every control, by pointer and by keyboard, in both languages, and nothing from elsewhere."""

import json
import re
import shutil

import pytest

from tavu.config import INSIST, SamplingConfig
from tavu.data.records import Request
from tavu.evaluation.obedience import obedience
from tavu.language_model import load
from tavu.serving.limits import Limits

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")

from tavu.serving.callers import Callers  # noqa: E402
from tavu.serving.keys import keys_of  # noqa: E402
from tests.serving.conftest import serving  # noqa: E402


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def studio(browser, server):
    """studio(**context options) -> the page, met by no error and asking nothing of another host."""
    contexts, faults = [], []

    def visit(address=server, **options):
        context = browser.new_context(**{"reduced_motion": "reduce", "locale": "en-GB"} | options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(8000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: faults.append(request.url) if not request.url.startswith((address, "blob:", "data:")) else None)
        page.goto(address)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not faults


BEGUN = {"choices": [{"index": 0, "text": "Half a", "finish_reason": None, "logprobs": None}]}


def write(page, seed=3, count=2, length=120):
    page.fill("#seed", str(seed))
    page.select_option("#count", str(count))
    if not page.is_visible("#length"):
        page.click("details summary")
    page.fill("#length", str(length))
    page.click("#begin")
    finished(page)
    return page.locator(".draft .text").all_inner_texts()


def finished(page):
    expect(page.locator(".draft").first).to_be_visible()
    expect(page.locator(".growing")).to_have_count(0)


def test_a_person_writes_keeps_edits_and_goes_on(studio):
    page = studio(accept_downloads=True)
    expect(page.locator("#order")).to_be_visible()
    page.fill("#words", "oak, key")
    page.check("#features input >> nth=0")
    page.fill("#summary", "Tom finds a key.")
    page.fill("#insist", "2.5")
    assert page.inner_text("#insist-told") == "2.50"
    page.fill("#opening", "Once upon a time")
    first = write(page)
    assert len(first) == 2 and first[0] != first[1] and all(text.startswith("Once upon a time") for text in first)
    assert page.locator(".text .s1, .text .s2, .text .s3, .text .s4").count()
    assert write(page) == first, "the same seed, the same stories"
    page.uncheck("#underlay")
    assert page.locator(".text span[class]").first.evaluate("e => getComputedStyle(e).backgroundColor") == "rgba(0, 0, 0, 0)"
    draft = page.locator(".draft").first
    draft.locator(".keep").click()
    expect(page.locator("#shelved")).to_have_text("1")
    draft.locator(".edit").click()
    draft.locator("textarea").fill("The key was gone. Then more")
    draft.locator("textarea").evaluate("area => area.setSelectionRange(17, 17)")
    draft.locator(".go-on").click()
    finished(page)
    assert draft.locator(".text").inner_text().startswith("The key was gone.") and "Then more" not in draft.locator(".text").inner_text()[:28]
    page.locator(".draft .close").last.click()
    expect(page.locator(".draft")).to_have_count(1)
    page.click("#dice")
    assert page.input_value("#seed") != "3"
    page.reload()
    page.click("#tab-shelf")
    with page.expect_download() as download:
        page.click("#export-json")
    kept = json.loads(download.value.path().read_text(encoding="utf-8"))
    assert kept[0]["seed"] == 3 and kept[0]["wishes"]["request"]["words"] == ["oak", "key"] and kept[0]["wishes"]["request"]["insist"] == 2.5
    with page.expect_download() as download:
        page.click("#export-text")
    assert download.value.path().read_text(encoding="utf-8") == kept[0]["text"]
    page.click("#stories button >> nth=1")
    expect(page.locator("#shelved")).to_be_empty()
    page.click("#undo button")
    expect(page.locator("#shelved")).to_have_text("1")
    page.click("#stories button >> nth=0")
    expect(page.locator(".draft")).to_have_count(1)


def test_stop_and_what_is_heard(studio):
    page = studio()
    page.click("details summary")
    page.select_option("#pace", "calm")
    page.fill("#length", "4000")
    page.fill("#temperature", "0")
    assert page.inner_text("#temperature-told") == "0.0"
    page.click("#begin")
    expect(page.locator("#halt")).to_be_visible()
    page.click("#halt")
    finished(page)
    expect(page.locator(".ended").first).to_have_text("Stopped.")
    expect(page.locator("#spoken")).to_contain_text("Draft 1 is finished")
    expect(page.locator("#spoken")).to_have_attribute("aria-live", "polite")


def test_wishes_are_ticked_marked_and_written_anew_as_the_command_line_does(studio, model_file):
    page = studio()
    wanted = Request(words=("Once", "zebra"), features=("Dialogue", "Twist"))
    page.fill("#words", "Once, zebra")
    page.check("#features input >> nth=0")
    page.check("#features input >> nth=1")
    page.fill("#opening", "Once, he said,")
    shown = write(page, seed=3, count=2, length=90)
    sampling = SamplingConfig(max_bytes=90, seed=3, insist=INSIST)
    texts = [wanted_text.text for wanted_text in load(model_file).write_to_order(wanted, sampling, opening="Once, he said,", count=2, tries=4)]
    for keep in page.locator(".draft .keep").all():
        keep.click()
    kept = page.evaluate("() => JSON.parse(localStorage.getItem('tavu-shelf')).map(story => story.text)")
    assert kept[::-1] == ["Once, he said," + text for text in texts]
    assert len(shown) == 2
    draft = page.locator(".draft").first
    obeyed = obedience(wanted, "Once, he said," + texts[0])
    assert obeyed.words == {"Once": True, "zebra": False}, "so that there were four tries"
    expect(draft.locator(".wishes .met").first).to_have_text("✓It has: Once")
    expect(draft.locator(".wishes .missed").first).to_have_text("✗It lacks: zebra")
    expect(draft.locator(".wishes li").last).to_have_text("·No rule can tell: A twist")
    expect(draft.locator(".text mark").first).to_have_text("Once")
    expect(draft.locator(".ended")).to_contain_text("The best of 4 tries.")
    expect(page.locator("#spoken")).to_contain_text("It lacks: zebra")
    draft.locator(".edit").click()
    draft.locator("textarea").fill('A zebra. "Hello!"')
    draft.locator(".edit").click()
    expect(draft.locator(".wishes .missed")).to_have_text("✗It lacks: Once")
    expect(draft.locator(".text mark")).to_have_text("zebra")
    assert page.input_value("#seed") == "3"


def story_event(text, **has):
    obeyed = {"words": has, "features": {}, "sentence": None, "places": []}
    choice = {"index": 0, "text": text, "finish_reason": "stop", "logprobs": None, "obeyed": obeyed}
    return f"data: {json.dumps({'choices': [choice]})}\n\ndata: [DONE]\n\n"


@pytest.mark.parametrize("how", ["stopped", "failed"])
def test_a_try_that_does_not_end_leaves_the_best_of_those_before(studio, how):
    """Tries are answered in their place, so that it is known when each begins and ends."""
    page = studio()
    expect(page.locator("#order")).to_be_visible()
    tries = []

    def answer(route):
        asked = route.request.post_data_json
        tries.append(asked["seed"])
        if len(tries) <= 2:
            route.fulfill(
                content_type="text/event-stream", body=story_event("A key." if len(tries) == 1 else "Nothing.", key=len(tries) == 1, oak=False)
            )
        elif how == "failed":
            route.abort()

    page.route("**/v1/completions", answer)
    page.select_option("#count", "1")
    page.fill("#words", "key, oak")
    page.fill("#seed", "5")
    page.click("#begin")
    if how == "stopped":
        expect(page.locator(".ended")).to_have_text("Written anew. The last one lacked: key, oak.")
        page.keyboard.press("Escape")
    finished(page)
    assert tries == [5, 1_000_005, 2_000_005]
    expect(page.locator(".text")).to_have_text("A key.")
    expect(page.locator(".wishes .met")).to_contain_text("key")
    expect(page.locator(".ended")).to_have_text("The end. The best of 2 tries.")
    expect(page.locator(".draft .keep")).to_be_visible()
    assert page.is_visible("#problem") == (how == "failed")


def test_a_server_that_goes_away_leaves_what_is_written_and_says_so(studio, model_file):
    with serving(model_file, limits=Limits(shutdown_seconds=1)) as address:
        page = studio(address)
        expect(page.locator("#order")).to_be_visible()
        page.route("**/v1/completions", lambda route: route.fulfill(content_type="text/event-stream", body=f"data: {json.dumps(BEGUN)}\n\n"))
        page.select_option("#count", "1")
        page.click("#begin")
        finished(page)
        expect(page.locator(".text")).to_have_text("Half a")
        expect(page.locator(".ended")).to_have_text("It failed before its end.")
        expect(page.locator("#problem")).to_contain_text("does not answer")
        expect(page.locator(".draft .keep")).to_be_hidden()
        page.close()


def test_a_model_that_writes_no_stories_is_not_asked_for_them(studio, chat_server, plain_file):
    page = studio(chat_server)
    expect(page.locator("#composer h1")).to_have_text("What do you say to it?")
    expect(page.locator("label[for=opening]")).to_have_text("You say")
    page.fill("#opening", "Hello!")
    assert all(text.startswith("Hello!\n\n") for text in write(page))
    expect(page.locator(".go-on").first).to_be_hidden()
    said = page.inner_text("body")
    with serving(plain_file) as address:
        page = studio(address)
        expect(page.locator("#opening")).to_have_attribute("placeholder", re.compile("."))
        assert write(page) and page.locator(".go-on").first.is_visible()
        said += page.inner_text("body")
        for tab in ("#tab-shelf", "#tab-about"):
            page.click(tab)
            said += page.inner_text("body")
        page.close()
    assert not re.search("stor(y|ies)|hero|wish", said, re.IGNORECASE)


@pytest.mark.parametrize("width", [390, 700, 900, 1280, 1700])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 6])
def test_no_draft_stands_alone_in_a_row_beside_an_empty_place(studio, width, count):
    page = studio(viewport={"width": width, "height": 900})
    write(page, count=count, length=50)
    boxes = page.evaluate("() => [...document.querySelectorAll('.draft')].map(e => e.getBoundingClientRect()).map(b => [b.top, b.left, b.right])")
    desk = page.evaluate("() => { const b = document.querySelector('#drafts').getBoundingClientRect(); return [b.left, b.right]; }")
    rows = [[box for box in boxes if box[0] == top] for top in {box[0] for box in boxes}]
    assert all(row[0][1] == pytest.approx(desk[0], abs=1) and row[-1][2] == pytest.approx(desk[1], abs=1) for row in rows)
    assert count != 3 or width not in (1280, 1700) or len(rows) == 1


def test_a_refused_wish_is_told_beside_its_input(studio):
    page = studio()
    page.fill("#words", ", ".join(f"word{i}" for i in range(20)))
    page.click("#begin")
    expect(page.locator("#words")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#words-wrong")).to_contain_text("words")
    expect(page.locator("#words")).to_have_attribute("aria-describedby", "words-wrong")
    expect(page.locator("#problem")).to_be_hidden()
    expect(page.locator(".draft .keep").first).to_be_hidden()
    page.fill("#words", "oak")
    write(page)
    expect(page.locator("#words-wrong")).to_have_count(0)
    expect(page.locator("[aria-invalid]")).to_have_count(0)
    expect(page.locator(".draft .keep").first).to_be_visible()


def test_by_keyboard_alone(studio):
    page = studio()
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#tab-write")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#shelf")).to_be_visible()
    page.keyboard.press("End")
    expect(page.locator("#about")).to_be_visible()
    expect(page.locator("#model-name")).to_have_text("tales")
    page.keyboard.press("Home")
    page.focus("#opening")
    page.keyboard.type("Hello")
    page.keyboard.press("Control+Enter")
    finished(page)
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.locator(".draft .keep").first.evaluate("e => e === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.locator("#shelved")).to_have_text("1")


def test_every_control_has_a_name_in_both_languages(studio):
    page = studio()
    for language in ("en", "fi"):
        page.select_option("#language", language)
        assert page.locator("html").get_attribute("lang") == language
        write(page, length=50)
        unnamed = page.evaluate(
            """() => [...document.querySelectorAll("button, input, select, textarea")].filter(e => e.checkVisibility())
                 .filter(e => !(e.innerText?.trim() || e.ariaLabel || e.labels?.[0]?.innerText.trim())).map(e => e.outerHTML)"""
        )
        assert unnamed == []
    expect(page.locator("#composer h1")).to_have_text("Millainen tarina?")
    en, fi = page.evaluate("() => import('/page/words.js').then(m => [Object.keys(m.WORDS.en), Object.keys(m.WORDS.fi)])")
    assert en == fi


def test_chips_and_numbers_follow_the_language(studio):
    page = studio()
    box = page.locator("#features input").first
    box.check()
    for language, told, one in (("fi", "Vuoropuhelua", "1 teksti"), ("en", "Dialogue", "1 document")):
        page.select_option("#language", language)
        expect(page.locator("#features span").first).to_have_text(told)
        assert box.is_checked() and box.input_value() == "Dialogue"
        assert page.evaluate("() => import('/page/words.js').then(m => m.counted(1, 'documents'))") == one


def test_on_a_phone_and_in_the_dark(studio):
    page = studio(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True, color_scheme="dark")
    write(page)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    dark = page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")
    page.select_option("#look", "light")
    assert page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor") != dark


def test_the_report_lies_in_a_sandbox(studio):
    page = studio()
    expect(page.locator("#order")).to_be_visible()
    page.click("#tab-training")
    expect(page.frame_locator("#report").locator("p")).to_have_text("How it learned")
    expect(page.frame_locator("#report").locator("p")).to_have_css("color", "rgb(0, 128, 0)")
    assert page.locator("#report").get_attribute("sandbox") == ""


def test_the_docs_come_from_the_server(studio):
    page = studio()
    page.click("#tab-about")
    page.click("text=For programs")
    expect(page.locator("#paths")).to_contain_text("POST /v1/completions")


def test_a_key_is_asked_for(studio, model_file):
    with serving(model_file, keys=keys_of("right"), callers=Callers(any_host=True)) as address:
        page = studio(address)
        expect(page.locator("#ask-key")).to_be_visible()
        page.fill("#key", "wrong")
        page.keyboard.press("Enter")
        expect(page.locator("#key-wrong")).to_be_visible()
        page.fill("#key", "right")
        page.keyboard.press("Enter")
        expect(page.locator("#ask-key")).to_be_hidden()
        write(page)
        page.click("#tab-training")
        expect(page.frame_locator("#report").locator("p")).to_have_text("How it learned")
        page.close()
