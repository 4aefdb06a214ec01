"""tavu export --to page: one file that writes what tavu writes, in Chromium and Firefox, from file:, and asks nothing of anywhere."""

import re
import shutil
from pathlib import Path

import pytest

from tavu.config import INSIST, SamplingConfig
from tavu.data.records import Request
from tavu.engine.native import NativeEngine, is_built
from tavu.errors import TavuError
from tavu.export.page import export_page
from tavu.export.web import export_web
from tavu.generation import reads
from tavu.generation.writing import write
from tavu.model_file import save_model
from tavu.stored_model import open_model
from tests.conftest import CONFIGS
from tests.export.firefox import FIREFOX, Firefox

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TEMPLATES = Path(export_page.__code__.co_filename).with_name("templates")
in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
needs_engine = pytest.mark.skipif(not is_built(), reason="the native engine was not built: no C compiler")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser):
    """visit(path, **context options) -> the page, which met no error and asked for nothing but itself and its own worker."""
    contexts, faults = [], []

    def opened(path: Path, **options):
        context = browser.new_context(**{"reduced_motion": "reduce", "locale": "en-GB"} | options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: faults.append(request.url) if not request.url.startswith((path.as_uri(), "blob:null/")) else None)
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not faults


@pytest.fixture(scope="module")
def stories(tmp_path_factory) -> Path:
    return export_page("stories", tmp_path_factory.mktemp("page") / "story.html").out


def page_of(model, facts: dict, folder: Path) -> Path:
    save_model(folder / "a.safetensors", model, facts)
    return export_page(folder / "a.safetensors", folder / "a.html").out


def tell(page, prompt: str, *, length: int = 2048, stop: str = "", seed: int = 3, temperature: float | None = None) -> str:
    """What the page writes after a prompt."""
    if not page.is_visible("#length"):
        page.click("details summary")
    for name, value in (("prompt", prompt), ("length", length), ("stop", stop), ("seed", seed)):
        page.fill(f"#{name}", str(value))
    if temperature is not None:
        page.fill("#temperature", str(temperature))
    page.click("#begin")
    expect(page.locator("#ended")).not_to_be_empty()
    return page.evaluate("[...document.querySelectorAll('#text span:not(.given)')].map((run) => run.textContent).join('')")


@in_chromium
def test_chromium_writes_the_golden_texts(visit, golden, tmp_path):
    page = visit(export_page(golden.path, tmp_path / "a.html").out)
    for prompt, text in golden.texts.items():
        assert tell(page, prompt, length=len(text.encode()), temperature=0) == text


@pytest.mark.skipif(FIREFOX is None, reason="there is no Firefox")
def test_firefox_writes_the_golden_texts_and_asks_for_nothing(golden, tmp_path):
    pytest.importorskip("websockets", reason="websockets is not installed")
    path = export_page(golden.path, tmp_path / "a.html").out
    (tmp_path / "profile").mkdir()
    with Firefox(tmp_path / "profile") as browser:
        browser.open(path)
        browser.wait_for("!document.getElementById('begin').disabled")
        for prompt, text in golden.texts.items():
            values = {"prompt": prompt, "length": len(text.encode()), "temperature": 0, "pace": "full"}
            browser.evaluate(";".join(f"document.getElementById({name!r}).value = {value!r}" for name, value in values.items()))
            browser.evaluate("document.getElementById('begin').click()")
            browser.wait_for("document.getElementById('ended').textContent")
            assert browser.evaluate("document.getElementById('text').textContent") == prompt + text
        assert all(address.startswith(("file:", "blob:", "data:")) for address in browser.requests)


@in_chromium
@needs_engine
def test_wishes_seed_stop_and_length_are_those_of_tavu(visit, stories):
    page, engine = visit(stories), NativeEngine(open_model("stories"))

    def expected(prompt: bytes, **sampling) -> str:
        return write(engine, prompt, SamplingConfig(**sampling))[0].text

    once = "Once upon a time"
    assert tell(page, once, seed=7, temperature=1.1) == expected(once.encode(), seed=7, temperature=1.1)
    assert page.inner_text("#ended") == "The end." and page.locator("#text .s1, #text .s2, #text .s3, #text .s4").count()
    assert tell(page, once, length=100, temperature=0.8) == expected(once.encode(), seed=3, max_bytes=100)
    assert page.inner_text("#ended") == "Stopped at its longest."
    assert tell(page, once, stop=" was") == expected(once.encode(), seed=3, stop=(" was",))
    assert page.inner_text("#ended") == "Stopped before the text that you gave."
    page.fill("#words", "oak, key")
    page.check("#features input")
    order = reads.of_request(Request(words=("oak", "key"), features=("Dialogue",)))
    assert tell(page, "The") == expected(order + b"The", seed=3, insist=INSIST)


@in_chromium
def test_the_browser_lets_the_page_reach_nothing(browser, stories):
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(stories.as_uri())
    expect(page.locator("#begin")).to_be_enabled()
    for forbidden in ("fetch('https://example.org')", "fetch('file:///etc/hostname')", "fetch('data:,a')"):
        assert page.evaluate(f"{forbidden}.then(() => 'reached', (error) => error.name)") == "TypeError"
    script = "const script = document.createElement('script'); script.textContent = 'window.ran = 1'; document.body.append(script); window.ran ?? 0"
    assert page.evaluate(script) == 0, "a script that is not the page's own does not run"
    page.evaluate("document.body.append(Object.assign(document.createElement('img'), { src: 'https://example.org/a.png' }))")
    assert "connect-src" not in page.get_attribute("meta[http-equiv]", "content")
    context.close()


@in_chromium
def test_a_person_stops_it_and_begins_anew(visit, stories):
    page = visit(stories)
    expect(page.locator("#begin")).to_be_enabled()
    page.click("details summary")
    page.select_option("#pace", "calm")
    page.fill("#prompt", "Once")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#halt")).to_be_visible()
    expect(page.locator("#text span:not(.given)").first).to_be_visible()
    page.keyboard.press("Escape")
    assert page.inner_text("#ended") == "Stopped." and not page.is_visible("#halt")
    before = page.inner_text("#text")
    page.wait_for_timeout(300)
    assert page.inner_text("#text") == before
    page.select_option("#pace", "full")
    whole = tell(page, "Once")
    assert before.startswith("Once") and ("Once" + whole).startswith(before[:4]) and len(whole) > 40
    page.uncheck("#underlay")
    assert page.locator("#text span:not(.given)").nth(1).evaluate("e => getComputedStyle(e).backgroundColor") == "rgba(0, 0, 0, 0)"
    page.click("#dice")
    assert page.input_value("#seed") != "3"


@in_chromium
def test_it_speaks_english_and_finnish(visit, stories):
    page = visit(stories, locale="fi-FI")
    expect(page.locator("#begin")).to_have_text("Kirjoita")
    assert page.inner_text("h1") == "Millainen tarina?" and page.get_attribute("html", "lang") == "fi"
    tell(page, "Once upon a time", length=60)
    assert page.inner_text("#ended") == "Enimmäispituus tuli täyteen."
    page.select_option("#language", "en")
    assert page.inner_text("#ended") == "Stopped at its longest." and page.inner_text("#begin") == "Write"
    english, finnish = page.evaluate("[Object.keys(WORDS.en), Object.keys(WORDS.fi)]")
    used = page.evaluate("[...document.querySelectorAll('[data-t], [data-l]')].map((element) => element.dataset.t ?? element.dataset.l)")
    assert english == finnish and set(used) <= set(english)


@in_chromium
def test_a_screen_reader_finds_names_and_hears_sentences(visit, stories):
    page = visit(stories)
    controls, unnamed = page.locator("input, select, textarea, button"), "e => !e.labels?.length && !e.textContent.trim() && !e.ariaLabel"
    assert controls.count() > 10 and not any(control.evaluate(unnamed) for control in controls.all())
    tell(page, "Once upon a time", seed=3)
    spoken = page.locator("#spoken p").all_inner_texts()
    assert spoken[0] == "Writing" and spoken[-1].endswith("The text is finished.") and any("Tom" in sentence for sentence in spoken)
    assert page.get_attribute("#spoken", "aria-live") == "polite" and page.get_attribute("#text", "aria-busy") is None
    page.keyboard.press("Tab")
    assert page.locator("h1").count() == 1


@in_chromium
def test_it_fits_a_phone_and_the_dark(visit, stories):
    page = visit(stories, viewport={"width": 340, "height": 700}, color_scheme="dark", has_touch=True)
    tell(page, "Once upon a time", length=200)
    page.select_option("#language", "fi")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.select_option("#look", "light")
    assert dark == "rgb(20, 24, 27)" and page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(250, 248, 244)"


@in_chromium
@needs_engine
@pytest.mark.parametrize("facts", [{"kind": "bytes"}, {"records": "chat", "note": "</script><b>é\u2028"}], ids=["bytes", "chat"])
def test_other_kinds_of_models(visit, make_model, tmp_path, facts):
    page, engine = visit(page_of(make_model(CONFIGS["words"]), facts, tmp_path)), NativeEngine(open_model(tmp_path / "a.safetensors"))
    assert not page.is_visible("#order")
    text = tell(page, "Hello.", temperature=0, length=60)
    is_bytes = facts.get("kind") == "bytes"
    read = b"Hello." if is_bytes else reads.of_prompt(b"Hello.", "chat")
    written = write(engine, read, SamplingConfig(0, max_bytes=60, valid_utf8=not is_bytes))[0].text
    assert text == re.sub(r"[\0-\x08\x0b-\x1f\x7f-\x9f]", "·", written)
    assert page.inner_text("h1") == ("What shall it go on from?" if is_bytes else "What do you say to it?")
    assert facts.get("note", "") in page.inner_text("#facts") and page.locator("#facts b").count() == 0


@in_chromium
def test_what_cannot_run_says_so(browser, stories, tmp_path):
    html = stories.read_text(encoding="utf-8")
    broken = {
        "engine": ("This browser cannot run the model", re.sub(r'(id="worker">)', r"\1 )", html)),
        "model": ("its header is no object of JSON", re.sub(r'(id="model">.{12}).{40}', rf"\1{'A' * 40}", html)),
    }
    for name, (expected, content) in broken.items():
        (tmp_path / f"{name}.html").write_text(content, encoding="utf-8")
        page = browser.new_page(locale="en-GB")
        page.goto((tmp_path / f"{name}.html").as_uri())
        expect(page.get_by_role("alert")).to_contain_text(expected)
        expect(page.locator("#begin")).to_be_disabled()
        page.close()


@in_chromium
def test_the_example_of_the_module_writes_in_a_browser(browser, tmp_path):
    """Modules are not loaded from file:, so that its files come from a server that the browser is told of."""
    folder = export_web("stories", tmp_path / "web").out
    page = browser.new_page()
    types = {".js": "text/javascript", ".html": "text/html", ".wasm": "application/wasm"}

    def serve(route):
        path = folder / (route.request.url.removeprefix("http://story.test/") or "index.html")
        route.fulfill(body=path.read_bytes(), content_type=types.get(path.suffix, "application/octet-stream")) if path.exists() else route.abort()

    page.route("http://story.test/**", serve)
    page.goto("http://story.test/")
    page.wait_for_selector("form[data-ready]")
    page.click("button")
    page.wait_for_function("document.querySelector('output').textContent.length > 60")
    assert page.inner_text("output").startswith("Once upon a time")
    page.close()


def test_the_file_is_one_and_small(stories):
    assert stories.stat().st_size <= 11_000_000
    html = re.sub(r'<script type="text/plain" id="(?:model|engine)">.*', "", stories.read_text(encoding="utf-8"))
    assert not re.search(r'\b(?:src|href)="(?!data:,|#)', html) and "http" not in html.replace("http-equiv", "")


def test_a_model_too_large_for_a_page(tmp_path, monkeypatch):
    monkeypatch.setattr("tavu.export.page.MAX_BYTES", 1_000_000)
    with pytest.raises(
        TavuError, match="has 7,997,306 bytes, and a page holds 1,000,000 at most. Use --to web, or make it smaller with `tavu quantize`."
    ):
        export_page("stories", tmp_path / "a.html")


def test_its_colors_are_those_of_the_studio():
    def colors(css: str) -> list[str]:
        return re.findall(r":root[^}]*}", css)

    studio = (TEMPLATES.parent.parent / "serving/page/studio.css").read_text(encoding="utf-8")
    assert colors((TEMPLATES / "page/page.css").read_text(encoding="utf-8")) == colors(studio) != []


@pytest.mark.slow
@in_chromium
@needs_engine
def test_five_hundred_greedy_bytes_are_those_of_the_native_engine(visit, golden, tmp_path):
    page = visit(export_page(golden.path, tmp_path / "a.html").out)
    for prompt in golden.texts:
        text = write(NativeEngine(open_model(golden.path)), prompt.encode(), SamplingConfig(0, max_bytes=500))[0].text
        assert tell(page, prompt, length=500, temperature=0) == text
