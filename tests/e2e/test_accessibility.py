"""What people need who see little or use no mouse, on every page of the app."""

import itertools
import re

import pytest
from playwright.sync_api import expect

from vitdemo.ui.lessons.order import ORDER

LESSONS = [place.script.removeprefix("pages/").removesuffix(".py") for place in ORDER]
TABS = ["attribution", "faithfulness", "ablation", "training", "heads"]
PAGES = [
    "",
    "?preset=annotation&depth=99",
    "?run=vit",
    "attention?run=vit",
    "attention?run=vit&compare=True&picture=3",
    *(f"attention?run=vit&view={tab}" for tab in TABS),
    *LESSONS,
]
# Contrast ratio as WCAG 2.2 defines it. Text needs 4.5, icons and symbols need 3; disabled controls
# and decoration (the gap in the numbers of pages) are exempt, as there (1.4.3, 1.4.11).
LOW_CONTRAST = r"""() => {
    const ICONS = "[data-testid=stIconMaterial], [role=img][aria-label$=icon]";
    const parse = color => (color.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
    const over = ([r, g, b, a = 1], under) => under.map((v, i) => [r, g, b][i] * a + v * (1 - a));
    const luminance = rgb => {
        const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
        return [0.2126, 0.7152, 0.0722].reduce((sum, k, i) => sum + k * linear(rgb[i] / 255), 0);
    };
    const backdrop = (element, { left, right, top, bottom }) => {
        const x = (left + right) / 2, y = (top + bottom) / 2;
        const layers = [];
        for (let node = element; node; node = node.parentElement) {
            const box = node.getBoundingClientRect();  // the number above a thumb is not on it
            if (x >= box.left && x <= box.right && y >= box.top && y <= box.bottom)
                layers.push(parse(getComputedStyle(node).backgroundColor));
        }
        return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
    };
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        const text = walker.currentNode.textContent.trim();
        if (!text || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
            continue;
        if (element.closest("script, style, [disabled], [aria-disabled=true], .hm, .heatmap-label"))
            continue;
        if (element.closest("[data-testid=stPaginationEllipsis]")) continue;
        if (element.closest("label, [data-testid]")?.querySelector("[disabled]")) continue;
        const box = element.getBoundingClientRect();
        if (box.width < 2 || box.height < 2) continue;
        const style = getComputedStyle(element);
        let opacity = 1;
        for (let node = element; node; node = node.parentElement)
            opacity *= getComputedStyle(node).opacity;
        const [r, g, b, a = 1] = parse(element.closest("svg") ? style.fill : style.color);
        const under = backdrop(element, box);
        const shown = over([r, g, b, a * opacity], under);
        const [light, dark] = [luminance(shown), luminance(under)].sort((x, y) => y - x);
        const ratio = (light + 0.05) / (dark + 0.05);
        const isSymbol = element.closest(ICONS) || !/[\p{L}\p{N}]/u.test(text);
        if (ratio < (isSymbol ? 3 : 4.5)) {
            const place = element.closest("[data-testid], [role=img]");
            const name = place?.dataset?.testid ?? place?.ariaLabel?.slice(0, 30);
            found.push(`${ratio.toFixed(2)} ${name}: ${text.slice(0, 40)}`);
        }
    }
    return [...new Set(found)];
}"""
HEADINGS = """() => [...document.querySelectorAll("h1, h2, h3, h4, h5, h6, [role=heading]")]
    .filter(heading => heading.checkVisibility())
    .map(heading => [Number(heading.ariaLevel ?? heading.tagName[1]), heading.innerText])"""
QUIET = """async () => {
    const busy = "[data-testid=stStatusWidget], [data-testid=stSpinner], [data-stale=true]";
    for (let quiet = 0; quiet < 60; quiet++) {
        if (document.querySelector(busy)) quiet = 0;
        await new Promise(requestAnimationFrame);
    }
}"""


@pytest.fixture(scope="module")
def tall(browser):
    """Return a page in the light theme, tall enough for all charts to be drawn."""
    context = browser.new_context(viewport={"width": 1280, "height": 6000}, color_scheme="light")
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def opened(page, url: str) -> None:
    page.goto(url)
    page.get_by_role("heading", level=1).wait_for()
    page.evaluate(QUIET)


def turn(page, theme: str) -> None:
    """Prefer a theme, as when the system changes it, and wait until the page has it."""
    page.emulate_media(color_scheme=theme)
    page.wait_for_function(
        "theme => getComputedStyle(document.querySelector('.stApp')).colorScheme === theme",
        arg=theme,
    )
    page.evaluate(QUIET)


@pytest.mark.parametrize("path", PAGES)
def test_contrast_and_headings(server, tall, path):
    tall.emulate_media(color_scheme="light")
    opened(tall, f"{server.url}/{path}")
    assert tall.evaluate(LOW_CONTRAST) == []
    levels = tall.evaluate(HEADINGS)
    assert [level for level, _ in levels][:1] == [1]
    assert sum(level == 1 for level, _ in levels) == 1
    skipped = [
        (above, below) for above, below in itertools.pairwise(levels) if below[0] > above[0] + 1
    ]
    assert skipped == []
    turn(tall, "dark")
    assert tall.evaluate(LOW_CONTRAST) == []


def test_the_end_of_a_training_is_announced(server, page):
    page.goto(f"{server.url}/?train_images=600&epochs=2&depth=1&validation_images=100")
    page.get_by_role("button", name="Train", exact=True).click()
    said = page.locator(".said[role=status]")
    said.get_by_text(re.compile(r"^Run finished: 2 of 2 epochs. Validation accuracy \d")).wait_for(
        state="attached"
    )


def control(page, begins: str):
    """Return the control that leads the keyboard over a chart, found by its alternative text."""
    found = page.get_by_role("application", name=re.compile(f"^{re.escape(begins)}"))
    found.wait_for()
    return found


def press(page, keys: str) -> None:
    for key in keys.split():
        page.keyboard.press(key)


def test_patches_are_occluded_by_keyboard(server, page):
    page.goto(f"{server.url}/attention?run=vit&view=ablation")
    picture = control(page, "The picture with 0 patches occluded")
    picture.focus()
    press(page, "ArrowRight ArrowDown ArrowRight")
    frame, said = picture.locator(".frame"), picture.locator(".said")
    assert said.inner_text() == "Row 2 of 8, column 3 of 8"
    ring = "element => getComputedStyle(element).outline"
    assert "3px" in frame.evaluate(ring)
    assert "3px" in picture.evaluate(ring)
    press(page, "Enter")
    page.wait_for_url(re.compile("occluded=10(&|$)"))
    after = control(page, "The picture with 1 patch occluded")
    assert after.evaluate("element => element === document.activeElement")
    page.get_by_text(re.compile("^The picture with 1 patch occluded")).wait_for()  # announced
    press(page, "ArrowLeft Enter")
    page.wait_for_url(re.compile("occluded=10%2C9"))


def test_heads_are_ablated_by_keyboard(server, page):
    page.goto(f"{server.url}/attention?run=vit&view=ablation")
    heads = control(page, "Importance of each head")
    heads.focus()
    press(page, "ArrowDown ArrowDown ArrowRight Enter")
    page.wait_for_url(re.compile("ablated=3.2"))


def test_thumbnails_matrix_and_points_are_chosen_by_keyboard(server, page):
    page.goto(f"{server.url}/attention?run=vit")
    control(page, "Attention maps of 6 layers by 4 heads").focus()
    press(page, "ArrowDown ArrowRight Enter")
    page.wait_for_url(re.compile("layer=2&head=2"))
    control(page, "Attention matrix of 65 by 65 tokens, layer 2").focus()
    press(page, "ArrowDown ArrowDown Space")
    page.wait_for_url(re.compile("token=2"))
    page.goto(f"{server.url}/attention?run=vit&view=heads")
    control(page, "Mean attention distance").focus()
    press(page, "ArrowRight Enter")
    page.wait_for_url(re.compile("layer=1&head=2"))


def test_snapshots_are_chosen_by_keyboard(server, page):
    page.goto(f"{server.url}/attention?run=vit&view=training")
    slider = page.get_by_role("slider", name="Epochs trained")
    slider.focus()
    expect(slider).to_have_attribute("aria-valuetext", "200 of 200")
    press(page, "Home ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "0.079 of 200")
    page.wait_for_url(re.compile("snapshot=1"))
    assert slider.evaluate("element => element === document.activeElement")


def test_every_clickable_chart_is_reached_with_tab(server, page):
    for path in ("attention?run=vit", "attention?run=vit&view=ablation", "start"):
        opened(page, f"{server.url}/{path}")
        charts, controls = page.locator(".charts.clickable"), page.locator(".charts > .keyboard")
        expect(charts.nth(1)).to_be_attached()
        expect(controls).to_have_count(charts.count())
        assert controls.evaluate_all("all => all.every(({ tabIndex }) => tabIndex === 0)")


def test_the_sheet_of_images_is_chosen_from_by_keyboard(server, page):
    page.goto(f"{server.url}/attention?run=vit")
    control(page, "30 of 1000 validation images").focus()
    press(page, "ArrowDown ArrowRight Enter")
    page.wait_for_url(re.compile("picture=7(&|$)"))
